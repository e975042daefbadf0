--- Turns the chapters of a book into HTML pages and one typst document, in a single run of pandoc.
--
-- Run as `pandoc lua book.lua JOB RESULT`, both JSON. JOB holds the chapters: the Markdown of each,
-- with its code cells and their outputs apart. RESULT holds the pages, the typst text and the
-- problems found: what Quarto would leave in the page as `?@fig-x` is an error here.

local READER = 'markdown+autolink_bare_uris'
local NAMES = { fig = 'Figure', tbl = 'Table', eq = 'Equation', sec = 'Section' }
local PRINT_DPI = 112 -- pixels of the page to an inch of paper
local CALLOUTS = { note = 'Note', tip = 'Tip', warning = 'Warning', important = 'Important', caution = 'Caution' }
local ASSETS = pandoc.path.directory(arg[0])

local problems = pandoc.List {}
local shown = {} -- place of each image shown -> true
local targets = {} -- label -> { page, kind, number, text }

local function complain(chapter, text)
  problems:insert('chapters/' .. chapter.name .. '.py: ' .. text)
end

local function folded(path)
  local parts = pandoc.List {}
  for part in path:gmatch('[^/]+') do
    if part == '..' then parts:remove() elseif part ~= '.' then parts:insert(part) end
  end
  return table.concat(parts, '/')
end

--- The place below the site of what a chapter names relative to its own folder ("/x" is site-wide).
local function place(chapter, path)
  if path:sub(1, 1) == '/' then return path:sub(2) end
  return folded(pandoc.path.directory(chapter.name) .. '/' .. path)
end

--- Reads Markdown of a chapter: images get their place, links between chapters their label.
local function parse(chapter, text)
  return pandoc.read(text, READER).blocks:walk {
    Image = function(image)
      if image.src:match('^%a+:') then
        complain(chapter, 'shows an image from outside, ' .. image.src .. '; put the file beside the chapter')
      end
      image.src = place(chapter, image.src)
      shown[image.src] = true
      local size = chapter.sizes[image.src]
      if size then image.attributes.width, image.attributes.height = tostring(size[1]), tostring(size[2]) end
      image.attributes.alt, image.attributes['fig-alt'] = image.attributes['fig-alt'] or image.attributes.alt, nil
      return image
    end,
    Para = function(para)
      -- "![](x)\\ " is the usual way to keep pandoc from making a figure of it
      local image = para.content[1]
      local rest = pandoc.utils.stringify(pandoc.List(para.content):filter(function(inline) return inline.t ~= 'Image' end))
      if image.t == 'Image' and rest:gsub('\u{a0}', ''):match('^%s*$') then return pandoc.Para { image } end
    end,
    Link = function(link)
      local path, label = link.target:match('^([^:#]+)%.ipynb#?(.*)$')
      if not path then return nil end
      link.attributes.chapter = place(chapter, path)
      link.target = '#' .. label
      return link
    end,
  }
end

local function inlines(chapter, text)
  return pandoc.utils.blocks_to_inlines(parse(chapter, text))
end

local function kind_of_label(label)
  local kind = (label or ''):match('^(%a+)%-.')
  return kind and NAMES[kind] and kind or nil
end

-- ---------------------------------------------------------------- reading: cells, floats, callouts

--- A figure or table with its caption, in the one form that everything below knows.
local function float(kind, label, content, caption)
  return pandoc.Div(
    { pandoc.Div(content, { class = 'float-content' }), pandoc.Div({ pandoc.Plain(caption) }, { class = 'caption' }) },
    pandoc.Attr(label, { 'float', kind }))
end

local function output_blocks(chapter, output, cell)
  if output.kind == 'markdown' then return parse(chapter, output.text) end
  if output.kind == 'text' then
    return pandoc.Blocks { pandoc.CodeBlock(output.text, pandoc.Attr('', { 'output' })) }
  end
  shown[output.src] = true
  local size = { width = output.width, height = output.height }
  return pandoc.Blocks { pandoc.Para { pandoc.Image(inlines(chapter, cell.alt), output.src, '', size) } }
end

local function cell_blocks(chapter, cell)
  local blocks, results = pandoc.Blocks {}, pandoc.Blocks {}
  if cell.echo then
    local attributes = { fold = cell.fold, summary = cell.summary }
    blocks:insert(pandoc.CodeBlock(cell.code, pandoc.Attr('', { 'python', 'cell-code' }, attributes)))
  end
  for _, output in ipairs(cell.outputs) do results:extend(output_blocks(chapter, output, cell)) end
  local kind = kind_of_label(cell.label)
  if (kind or cell.caption ~= '') and #results > 0 then
    results = { float(kind or cell.caption_kind, cell.label, results, inlines(chapter, cell.caption)) }
  end
  blocks:extend(results)
  return blocks
end

local function without_attribute(caption)
  local last = caption[#caption]
  local label = last and last.t == 'Str' and last.text:match('^{#([%w%-_]+)}$')
  if not label then return caption, nil end
  caption:remove()
  if #caption > 0 and caption[#caption].t == 'Space' then caption:remove() end
  return caption, label
end

local SHORT, LONG = 22, 60 -- characters: a short cell stays on one line, a long one needs room
local DENSE = 7 -- columns that make a table set in smaller type

--- Calls `visit` with each body cell of a table and the number of its column.
local function each_cell(tbl, visit)
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.body) do
      for column, cell in ipairs(row.cells) do visit(cell, column) end
    end
  end
end

--- Leaves the widths of columns to the page, where pandoc makes those of wide tables equal, and
-- marks the cells of short and long columns, so that a number and its unit stay on one line.
local function fitted(tbl)
  tbl.colspecs = tbl.colspecs:map(function(column) return { column[1], nil } end)
  local longest = {}
  each_cell(tbl, function(cell, column)
    local length = utf8.len(pandoc.utils.stringify(cell.contents)) or 0
    longest[column] = math.max(longest[column] or 0, length)
  end)
  if #tbl.colspecs >= DENSE then tbl.classes:insert('dense') end
  each_cell(tbl, function(cell, column)
    if longest[column] <= SHORT then cell.classes:insert('short') end
    if longest[column] > LONG then cell.classes:insert('long') end
  end)
  return tbl
end

local function table_float(tbl)
  local caption = pandoc.utils.blocks_to_inlines(tbl.caption.long)
  if #caption == 0 then return nil end
  local caption, label = without_attribute(caption)
  label = label or tbl.identifier
  tbl.caption, tbl.identifier = { long = {} }, ''
  return float('tbl', label, { tbl }, caption), false
end

local function figure_float(figure)
  local caption = pandoc.utils.blocks_to_inlines(figure.caption.long)
  local label = figure.identifier
  local content = figure.content:walk {
    Image = function(image)
      if image.identifier ~= '' then label, image.identifier = image.identifier, '' end
      return image
    end,
  }
  return float('fig', label, content, caption), false
end

--- `::: {#fig-x} … caption :::`: the last paragraph is the caption.
local function div_float(div)
  local kind = kind_of_label(div.identifier)
  if kind ~= 'fig' and kind ~= 'tbl' or div.classes:includes('float') then return nil end
  local caption = div.content:remove()
  return float(kind, div.identifier, div.content, caption.content or {}), false
end

--- A callout becomes its title and its body.
local function callout(chapter, div)
  local kind = div.classes:find_if(function(class) return class:match('^callout%-%a+$') ~= nil end)
  kind = kind and kind:match('%-(%a+)$')
  if not CALLOUTS[kind] then return nil end
  local title = pandoc.Inlines(CALLOUTS[kind])
  if div.attributes.title then
    title = inlines(chapter, div.attributes.title)
  elseif div.content[1] and div.content[1].t == 'Header' then
    title = div.content:remove(1).content
  end
  return pandoc.Div(
    { pandoc.Div({ pandoc.Plain(title) }, { class = 'callout-title' }), pandoc.Div(div.content, { class = 'callout-body' }) },
    pandoc.Attr(div.identifier, { 'callout', kind }, { collapse = div.attributes.collapse }))
end

--- `$$…$$ {#eq-x}` becomes a span with that label.
local function equations(list)
  local found = pandoc.Inlines {}
  local index = 1
  while index <= #list do
    local math, space, label = list[index], list[index + 1], list[index + 2]
    if space and space.t == 'Str' then label, space = space, nil end
    local name = math.t == 'Math' and math.mathtype == 'DisplayMath' and label and label.t == 'Str'
      and label.text:match('^{#(eq%-[%w%-_]+)}')
    if name then
      found:insert(pandoc.Span({ math }, pandoc.Attr(name, { 'equation' })))
      local rest = label.text:match('}(.+)$')
      if rest then found:insert(pandoc.Str(rest)) end
      index = index + (space and 3 or 2)
    else
      found:insert(math)
      index = index + 1
    end
  end
  return found
end

local function read_chapter(chapter)
  local blocks = parse(chapter, chapter.markdown):walk {
    RawBlock = function(raw)
      if raw.format == 'cell' then return cell_blocks(chapter, chapter.cells[tonumber(raw.text) + 1]) end
    end,
  }
  blocks = blocks:walk { Inlines = equations, Table = fitted }
  blocks = blocks:walk {
    traverse = 'topdown',
    Figure = figure_float,
    Div = function(div)
      if div.classes:includes('float') then return nil, false end
      return div_float(div)
    end,
    Table = table_float,
  }
  return blocks:walk { Div = function(div) return callout(chapter, div) end }
end

-- ---------------------------------------------------------------- numbering

local function letter(number)
  return string.char(string.byte('A') + number - 1)
end

local function register(chapter, label, kind, number, text)
  if targets[label] then
    complain(chapter, 'the label ' .. label .. ' is also in chapters/' .. targets[label].chapter.name .. '.py')
  end
  targets[label] = { chapter = chapter, kind = kind, number = number, text = text }
end

local function joined(...)
  local parts = pandoc.List { ... }
  return table.concat(parts:filter(function(part) return part ~= '' and part ~= nil end), '.')
end

local function chapter_number(chapter, header, counts)
  if header.classes:includes('unnumbered') then return '' end
  local series = chapter.appendix and 'appendix' or 'chapter'
  counts[series] = (counts[series] or 0) + 1
  return chapter.appendix and letter(counts[series]) or tostring(counts[series])
end

local function number_header(chapter, header, state)
  if header.level == 1 then
    if state.titled then complain(chapter, 'has a second title, ' .. pandoc.utils.stringify(header)) end
    state.titled = true
    chapter.number = chapter_number(chapter, header, state.counts)
    chapter.title, chapter.label = header.content, header.identifier
    local word = chapter.appendix and 'Appendix ' or 'Chapter '
    local text = chapter.number == '' and pandoc.utils.stringify(header) or word .. chapter.number
    register(chapter, header.identifier, 'sec', chapter.number, text)
    return
  end
  local levels = state.levels
  if header.classes:includes('unnumbered') or chapter.number == '' then
    header.attributes.number = ''
  else
    levels[header.level] = (levels[header.level] or 0) + 1
    for deeper = header.level + 1, 6 do levels[deeper] = 0 end
    local parts = pandoc.List { chapter.number }
    for level = 2, header.level do parts:insert(tostring(levels[level] or 0)) end
    header.attributes.number = table.concat(parts, '.')
  end
  if kind_of_label(header.identifier) then
    local number = header.attributes.number
    local text = number == '' and pandoc.utils.stringify(header) or 'Section ' .. number
    register(chapter, header.identifier, 'sec', number, text)
  end
  return header
end

--- Numbers the headings, figures, tables and equations of a chapter, in the order of the page.
local function number_chapter(chapter, counts)
  local state = { counts = counts, levels = {}, floats = {} }
  local function next_number(kind)
    state.floats[kind] = (state.floats[kind] or 0) + 1
    return joined(chapter.number or '', tostring(state.floats[kind]))
  end
  chapter.blocks = chapter.blocks:walk {
    traverse = 'topdown',
    Header = function(header)
      local numbered = number_header(chapter, header, state)
      return numbered or {}
    end,
    Div = function(div)
      local kind = kind_of_label(div.identifier)
      if not div.classes:includes('float') or not kind then return nil end
      local number = next_number(kind)
      register(chapter, div.identifier, kind, number, NAMES[kind] .. ' ' .. number)
      div.attributes.number = NAMES[kind] .. ' ' .. number
      return div
    end,
    Span = function(span)
      if not span.classes:includes('equation') then return nil end
      local number = next_number('eq')
      register(chapter, span.identifier, 'eq', number, NAMES.eq .. ' ' .. number)
      span.attributes.number = '(' .. number .. ')'
      return span
    end,
  }
  if not state.titled then complain(chapter, 'has no title; begin it with `# Title {#sec-name}`') end
end

-- ---------------------------------------------------------------- references

local function labels_of(blocks)
  local labels = pandoc.List {}
  local function note(element)
    if element.identifier ~= '' then labels:insert(element.identifier) end
  end
  blocks:walk { Header = note, Div = note, Span = note }
  return labels
end

local function reference(chapter, citation)
  local target = targets[citation.id]
  if not target then
    complain(chapter, '@' .. citation.id .. ' refers to nothing; label the ' .. NAMES[kind_of_label(citation.id)]:lower() .. ' or mend the name')
    return pandoc.Inlines('?')
  end
  local text = target.text:gsub(' ', '\u{a0}', 1)
  if #citation.prefix > 0 then
    text = pandoc.utils.stringify(citation.prefix) .. '\u{a0}' .. target.number
  elseif citation.mode == 'SuppressAuthor' then
    text = target.number
  end
  return pandoc.Inlines { pandoc.Link(text, '#' .. citation.id, '', { class = 'xref' }) }
end

local function resolve(chapter, by_name)
  local own = {}
  for _, label in ipairs(labels_of(chapter.blocks)) do own[label] = true end
  chapter.blocks = chapter.blocks:walk {
    Cite = function(cite)
      local ours = cite.citations:filter(function(citation) return kind_of_label(citation.id) ~= nil end)
      if #ours == 0 then return nil end
      local list = pandoc.Inlines {}
      for index, citation in ipairs(ours) do
        if index > 1 then list:extend { pandoc.Str(','), pandoc.Space() } end
        list:extend(reference(chapter, citation))
      end
      return list
    end,
    Link = function(link)
      local name = link.attributes.chapter
      if not name then
        local label = link.target:match('^#(.+)$')
        if label and not targets[label] and not own[label] then
          complain(chapter, 'links to #' .. label .. ', which is not there')
        end
        return nil
      end
      link.attributes.chapter = nil
      local target = by_name[name]
      if not target then
        complain(chapter, 'links to ' .. name .. '.ipynb, which is no chapter')
      elseif link.target == '#' then
        link.target = '#' .. target.label
      end
      return link
    end,
  }
end

local function check_citations(chapters, known)
  for _, chapter in ipairs(chapters) do
    chapter.blocks:walk {
      Cite = function(cite)
        for _, citation in ipairs(cite.citations) do
          if not known[citation.id] then
            complain(chapter, '@' .. citation.id .. ' is not in the bibliography; add it there or mend the name')
          end
        end
      end,
    }
  end
end

--- Citations and the list of references, over the whole book at once.
local function cite(chapters, bibliography)
  local meta = { ['link-citations'] = true, ['suppress-bibliography'] = false }
  if bibliography then meta.bibliography = bibliography end
  local book = pandoc.Pandoc(
    pandoc.List(chapters):map(function(chapter) return pandoc.Div(chapter.blocks, { class = 'chapter' }) end), meta)
  local known = {}
  if bibliography then
    meta.nocite = pandoc.Inlines {}
    for _, entry in ipairs(pandoc.read(io.open(bibliography):read('a'), 'biblatex').meta.references or {}) do
      known[pandoc.utils.stringify(entry.id)] = true
    end
  end
  check_citations(chapters, known)
  if #problems > 0 or not bibliography then return end
  local done = pandoc.utils.citeproc(book)
  for index, chapter in ipairs(chapters) do chapter.blocks = done.blocks[index].content end
end

-- ---------------------------------------------------------------- HTML

local function html(text)
  return pandoc.RawBlock('html', text)
end

local function html_inline(text)
  return pandoc.RawInline('html', text)
end

local function escaped(text)
  return (text:gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }))
end

local function wrapped(before, content, after)
  local blocks = pandoc.Blocks { html(before) }
  blocks:extend(content)
  blocks:insert(html(after))
  return blocks
end

local function html_text(content)
  local text = pandoc.write(pandoc.Pandoc { pandoc.Plain(content) }, 'html5', { html_math_method = 'mathml', wrap_text = 'wrap-none' })
  return text
end

local function html_header(header)
  local number = header.attributes.number
  header.attributes.number = nil
  if number and number ~= '' then
    header.content:insert(1, pandoc.Space())
    header.content:insert(1, pandoc.Span({ pandoc.Str(number) }, { class = 'number' }))
  end
  header.content:insert(html_inline('<a class="anchor" href="#' .. header.identifier .. '" aria-label="Link to this section">#</a>'))
  return header
end

local function html_float(div)
  local content, caption = div.content[1].content, div.content[2].content[1].content
  local number = div.attributes.number
  local head = number and '<span class="float-number">' .. number .. '</span> ' or ''
  local captioned = html('<figcaption>' .. head .. html_text(caption) .. '</figcaption>')
  local kind = div.classes:includes('tbl') and 'tbl' or 'fig'
  local blocks = pandoc.Blocks(content)
  blocks:insert(kind == 'tbl' and 1 or #blocks + 1, captioned)
  local id = div.identifier ~= '' and ' id="' .. div.identifier .. '"' or ''
  return wrapped('<figure class="float ' .. kind .. '"' .. id .. '>', blocks, '</figure>')
end

local function html_callout(div)
  local kind = div.classes[2]
  local title = html_text(div.content[1].content[1].content)
  local body = wrapped('<div class="callout-body">', div.content[2].content, '</div>')
  local collapse = div.attributes.collapse
  local id = div.identifier ~= '' and ' id="' .. div.identifier .. '"' or ''
  local class = ' class="callout ' .. kind .. '"' .. id
  if collapse then
    local open = collapse == 'false' and ' open' or ''
    return wrapped('<details' .. class .. open .. '><summary class="callout-title">' .. title .. '</summary>', body, '</details>')
  end
  return wrapped('<aside' .. class .. '><p class="callout-title">' .. title .. '</p>', body, '</aside>')
end

local function html_code(code)
  local fold, summary = code.attributes.fold, code.attributes.summary
  code.attributes.fold, code.attributes.summary = nil, nil
  if fold ~= 'true' and fold ~= 'show' then return code end
  local open = fold == 'show' and ' open' or ''
  return wrapped('<details class="code-fold"' .. open .. '><summary>' .. escaped(summary) .. '</summary>', { code }, '</details>')
end

local function html_equation(span)
  if not span.classes:includes('equation') then return nil end
  local number = span.attributes.number
  span.attributes.number = nil
  span.content:insert(pandoc.Span({ pandoc.Str(number) }, { class = 'equation-number' }))
  return span
end

local function html_table(tbl)
  return wrapped('<div class="table-scroll" tabindex="0">', { tbl }, '</div>'), false
end

--- Links to labels of other pages get the page in front.
local function html_link(chapter, pages)
  return function(link)
    local label = link.target:match('^#(.+)$')
    local page = label and pages[label]
    if page and page ~= chapter.page then
      link.target = chapter.offset .. page .. '#' .. label
      return link
    end
  end
end

--- label -> page, for labels that stand on one page only
local function pages_of(chapters)
  local pages = {}
  for label, target in pairs(targets) do pages[label] = target.chapter.page end
  for _, chapter in ipairs(chapters) do
    for _, label in ipairs(labels_of(chapter.blocks)) do
      if label:match('^ref%-') then pages[label] = chapter.page end
    end
  end
  return pages
end

local function contents_of(blocks)
  local entries = pandoc.List {}
  blocks:walk {
    Header = function(header)
      if header.level > 3 then return end
      entries:insert { id = header.identifier, level = header.level, number = header.attributes.number or '', title = html_text(header.content) }
    end,
  }
  return entries
end

--- The plain text below each heading, for the search.
local function search_of(chapter, blocks)
  local title = pandoc.utils.stringify(chapter.title)
  blocks = blocks:walk { Math = function(math) if math.mathtype == 'DisplayMath' then return {} end end }
  local sections = pandoc.List { { id = '', title = title, blocks = pandoc.Blocks {} } }
  for _, block in ipairs(blocks) do
    if block.t == 'Header' and block.level <= 3 then
      sections:insert { id = block.identifier, title = pandoc.utils.stringify(block), blocks = pandoc.Blocks {} }
    else
      sections[#sections].blocks:insert(block)
    end
  end
  return sections:map(function(section)
    local text = pandoc.write(pandoc.Pandoc(section.blocks), 'plain', { wrap_text = 'wrap-none' })
    text = text:gsub('%-%-%-+', ' '):gsub('%s+', ' ') -- rules of tables
    return { id = section.id, title = section.title, text = text }
  end)
end

--- A chart opens by itself when it is clicked, which helps on a phone.
local function html_image(chapter)
  return function(image)
    local chart = image.src:match('^figures/')
    image.src = chapter.offset .. image.src
    image.attributes.loading = 'lazy'
    if not chart then return image end
    image.classes:insert('chart')
    return pandoc.Link({ image }, image.src, '', { class = 'enlarge' })
  end
end

local function evidence(format)
  FORMAT = format
  return dofile(pandoc.path.join { ASSETS, 'evidence.lua' })[1]
end

local function html_page(chapter, pages)
  local told = chapter.blocks:walk(evidence('html'))
  local blocks = told:walk { Div = function(div)
    if div.classes:includes('float') then return html_float(div) end
    if div.classes:includes('callout') then return html_callout(div) end
  end }
  blocks = blocks:walk { traverse = 'topdown', Table = html_table }
  blocks = blocks:walk {
    Header = html_header, CodeBlock = html_code, Span = html_equation,
    Link = html_link(chapter, pages), Image = html_image(chapter),
  }
  return {
    name = chapter.name,
    number = chapter.number,
    title = html_text(chapter.title),
    title_text = pandoc.utils.stringify(chapter.title),
    label = chapter.label,
    contents = contents_of(chapter.blocks),
    search = search_of(chapter, told),
    body = pandoc.write(pandoc.Pandoc(blocks), 'html5', { html_math_method = 'mathml', wrap_text = 'wrap-none' }),
  }
end

-- ---------------------------------------------------------------- typst

local function typst(text)
  return pandoc.RawBlock('typst', text)
end

local function quoted(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"') .. '"'
end

local function typst_text(content)
  return (pandoc.write(pandoc.Pandoc { pandoc.Plain(content) }, 'typst-citations', { wrap_text = 'wrap-none' }):gsub('%s+$', ''))
end

local function typst_label(chapter, id)
  if targets[id] or id:match('^ref%-') then return id end
  return chapter.name:gsub('/', '-') .. '--' .. id
end

local function call(name, arguments, content, label)
  local blocks = pandoc.Blocks { typst('#' .. name .. '(' .. arguments .. ')[') }
  blocks:extend(content)
  blocks:insert(typst(']' .. (label and label ~= '' and ' <' .. label .. '>' or '')))
  return blocks
end

local function bold_head(tbl)
  for _, row in ipairs(tbl.head.rows) do
    for _, cell in ipairs(row.cells) do
      cell.contents = cell.contents:walk { Plain = function(plain) return pandoc.Plain { pandoc.Strong(plain.content) } end }
    end
  end
  return tbl
end

local function typst_blocks(chapter)
  local blocks = chapter.blocks:walk(evidence('typst'))
  return blocks:walk {
    Header = function(header)
      local arguments = ('level: %d, number: %s'):format(header.level, quoted(header.attributes.number or ''))
      return typst('#section(' .. arguments .. ')[' .. typst_text(header.content) .. '] <' .. typst_label(chapter, header.identifier) .. '>')
    end,
    Div = function(div)
      if div.classes:includes('float') then
        local kind = div.classes:includes('tbl') and 'tbl' or 'fig'
        local caption = typst_text(div.content[2].content[1].content)
        local number = div.attributes.number or ''
        return call('float', ('kind: "%s", number: %s, caption: [%s]'):format(kind, quoted(number), caption),
          div.content[1].content, div.identifier)
      elseif div.classes:includes('callout') then
        local title = typst_text(div.content[1].content[1].content)
        return call('callout', ('kind: "%s", title: [%s]'):format(div.classes[2], title), div.content[2].content)
      elseif div.identifier == 'refs' then
        return call('references', '', div.content)
      elseif div.identifier:match('^ref%-') then
        return call('entry', '', div.content, div.identifier)
      end
    end,
    CodeBlock = function(code)
      code.attributes.fold, code.attributes.summary = nil, nil
      return code
    end,
    Span = function(span)
      if not span.classes:includes('equation') then return nil end
      local list = pandoc.Inlines { pandoc.RawInline('typst', '#equation(' .. quoted(span.attributes.number) .. ')[') }
      list:extend(span.content)
      list:insert(pandoc.RawInline('typst', '] <' .. span.identifier .. '>'))
      return list
    end,
    Link = function(link)
      local label = link.target:match('^#(.+)$')
      if label then link.target = '#' .. typst_label(chapter, label) end
      return link
    end,
    Table = bold_head,
    Image = function(image)
      image.src = '/' .. image.src
      image.attributes.height = nil
      if image.attributes.width then image.attributes.width = image.attributes.width / PRINT_DPI .. 'in' end
      return image
    end,
  }
end

local function typst_document(chapters)
  local parts, part = pandoc.List {}, ''
  for _, chapter in ipairs(chapters) do
    if chapter.part ~= part then
      part = chapter.part
      parts:insert('#part[' .. typst_text(pandoc.Inlines(part)) .. ']\n')
    end
    local arguments = ('number: %s, appendix: %s'):format(quoted(chapter.number), tostring(chapter.appendix))
    parts:insert('#chapter(' .. arguments .. ')[' .. typst_text(chapter.title) .. '] <' .. typst_label(chapter, chapter.label) .. '>\n')
    parts:insert(pandoc.write(pandoc.Pandoc(typst_blocks(chapter)), 'typst-citations', { wrap_text = 'wrap-none' }))
  end
  return table.concat(parts, '\n')
end

-- ---------------------------------------------------------------- the run

local function main(job)
  local counts = {}
  for _, chapter in ipairs(job.chapters) do
    chapter.blocks = read_chapter(chapter)
    number_chapter(chapter, counts)
  end
  local by_name = {}
  for _, chapter in ipairs(job.chapters) do by_name[chapter.name] = chapter end
  for _, chapter in ipairs(job.chapters) do resolve(chapter, by_name) end
  cite(job.chapters, job.bibliography)
  if #problems > 0 then return { problems = problems, pages = pandoc.List {}, typst = '' } end
  local pages = pages_of(job.chapters)
  local images = pandoc.List {}
  for path in pairs(shown) do images:insert(path) end
  images:sort()
  return {
    problems = problems,
    pages = pandoc.List(job.chapters):map(function(chapter) return html_page(chapter, pages) end),
    typst = typst_document(job.chapters),
    images = images,
  }
end

local job = pandoc.json.decode(io.open(arg[1]):read('a'), false)
local result = io.open(arg[2], 'w')
result:write(pandoc.json.encode(main(job)))
result:close()
