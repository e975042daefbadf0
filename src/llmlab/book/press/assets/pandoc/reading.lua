--- Reads a chapter into blocks, in which figures, tables, callouts and equations have one form each:
--
--   Div.float.(fig|tbl)#label   { Div { content }, Div.caption { Plain } }
--   Div.callout.(note|tip|…)    { Div.callout-title { Plain }, Div.callout-body }
--   Span.equation#label         { Math }

local state = require 'state'
local unbroken = require 'unbroken'

local READER = 'markdown+autolink_bare_uris'
local CALLOUTS = { note = 'Note', tip = 'Tip', warning = 'Warning', important = 'Important', caution = 'Caution' }
local SHORT, LONG = 22, 60 -- characters: a short cell stays on one line, a long one needs room
local BLANKS = { Space = true, SoftBreak = true }
local OUTSIDE = '^%a+:' -- where an image begins that is not a file of the book
local DENSE = 7 -- columns that make a table set in smaller type

-- ---------------------------------------------------------------- Markdown

--- The place below the site of what a chapter names relative to its own folder; "/x" is site-wide.
local function place(chapter, path)
  if path:sub(1, 1) == '/' then return path:sub(2) end
  local parts = pandoc.List {}
  for part in (pandoc.path.directory(chapter.name) .. '/' .. path):gmatch '[^/]+' do
    if part == '..' then parts:remove() elseif part ~= '.' then parts:insert(part) end
  end
  return table.concat(parts, '/')
end

local function read_image(chapter, image)
  if not image.src:match(OUTSIDE) then image.src = place(chapter, image.src) end
  local size = chapter.sizes[image.src]
  if size then image.attributes.width, image.attributes.height = tostring(size[1]), tostring(size[2]) end
  image.attributes.alt, image.attributes['fig-alt'] = image.attributes['fig-alt'] or image.attributes.alt, nil
  return image
end

--- "![](x)\ " is the usual way to keep pandoc from making a figure of an image; the space goes.
local function lone_image(para)
  local image = para.content[1]
  if image.t ~= 'Image' then return nil end
  local rest = pandoc.utils.stringify { table.unpack(para.content, 2) }
  if rest:gsub('\u{a0}', ''):match '^%s*$' then return pandoc.Para { image } end
end

--- A link to another chapter's notebook; its target is set when all labels are known.
local function read_link(chapter, link)
  local path, label = link.target:match '^([^:#]+)%.ipynb#?(.*)$'
  if not path then return nil end
  link.attributes.chapter = place(chapter, path)
  link.target = '#' .. label
  return link
end

local function parse(chapter, text)
  return pandoc.read(text, READER).blocks:walk {
    Image = function(image) return read_image(chapter, image) end,
    Link = function(link) return read_link(chapter, link) end,
    Para = lone_image,
  }
end

local function inlines(chapter, text)
  return pandoc.utils.blocks_to_inlines(parse(chapter, text))
end

-- ---------------------------------------------------------------- cells and floats

local function float(kind, label, content, caption)
  return pandoc.Div(
    { pandoc.Div(content), pandoc.Div({ pandoc.Plain(caption) }, { class = 'caption' }) },
    pandoc.Attr(label, { 'float', kind }))
end

local function output_blocks(chapter, output, alt)
  if output.kind == 'markdown' then return parse(chapter, output.text) end
  if output.kind == 'text' then
    return { pandoc.CodeBlock(output.text, { class = 'output' }) }
  end
  local sized = output.width ~= pandoc.json.null
  local size = sized and { width = output.width, height = output.height } or {}
  return { pandoc.Para { pandoc.Image(inlines(chapter, alt), output.src, '', size) } }
end

local function cell_blocks(chapter, cell)
  local blocks, results = pandoc.Blocks {}, pandoc.Blocks {}
  if cell.echo then
    local attributes = { class = 'python', fold = cell.fold, summary = cell.summary }
    blocks:insert(pandoc.CodeBlock(cell.code, attributes))
  end
  for _, output in ipairs(cell.outputs) do results:extend(output_blocks(chapter, output, cell.alt)) end
  local kind = state.kind_of(cell.label)
  if #results > 0 and (kind or cell.caption ~= '') then
    results = { float(kind or cell.caption_kind, cell.label, results, inlines(chapter, cell.caption)) }
  end
  blocks:extend(results)
  return blocks
end

local function figure_float(figure)
  local label = figure.identifier
  local content = figure.content:walk {
    Image = function(image)
      if image.identifier ~= '' then label, image.identifier = image.identifier, '' end
      return image
    end,
  }
  return float('fig', label, content, pandoc.utils.blocks_to_inlines(figure.caption.long))
end

--- Takes "{#tbl-x}" off the end of a caption and returns it.
local function take_label(caption)
  local last = caption[#caption]
  local label = last.t == 'Str' and last.text:match '^{#([%w%-_]+)}$'
  if not label then return nil end
  caption:remove()
  if #caption > 0 and caption[#caption].t == 'Space' then caption:remove() end
  return label
end

local function table_float(tbl)
  local caption = pandoc.utils.blocks_to_inlines(tbl.caption.long)
  if #caption == 0 then return nil end
  local label = take_label(caption) or tbl.identifier
  tbl.caption, tbl.identifier = { long = {} }, ''
  return float('tbl', label, { tbl }, caption)
end

--- `::: {#fig-x} … caption :::`: the last paragraph is the caption.
local function div_float(div)
  local kind = state.kind_of(div.identifier)
  if kind ~= 'fig' and kind ~= 'tbl' then return nil end
  local caption = div.content:remove()
  return float(kind, div.identifier, div.content, caption.content)
end

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
  if #tbl.colspecs >= DENSE then tbl.classes:insert 'dense' end
  local longest = {}
  each_cell(tbl, function(cell, column)
    local length = utf8.len(pandoc.utils.stringify(cell.contents)) or 0
    longest[column] = math.max(longest[column] or 0, length)
  end)
  each_cell(tbl, function(cell, column)
    if longest[column] <= SHORT then cell.classes:insert 'short' end
    if longest[column] > LONG then cell.classes:insert 'long' end
  end)
  return tbl
end

-- ---------------------------------------------------------------- callouts and equations

local function callout(chapter, div)
  local class = div.classes:find_if(function(name) return name:match '^callout%-' ~= nil end)
  local kind = class and class:match '%-(%a+)$'
  if not CALLOUTS[kind] then return nil end
  local title = pandoc.Inlines(CALLOUTS[kind])
  if div.attributes.title then
    title = inlines(chapter, div.attributes.title)
  elseif div.content[1] and div.content[1].t == 'Header' then
    title = div.content:remove(1).content
  end
  return pandoc.Div(
    {
      pandoc.Div({ pandoc.Plain(title) }, { class = 'callout-title' }),
      pandoc.Div(div.content, { class = 'callout-body' }),
    },
    pandoc.Attr(div.identifier, { 'callout', kind }, { collapse = div.attributes.collapse }))
end

--- The label and the rest of a text such as "{#eq-x}." behind a displayed formula.
local function label_behind(inline)
  if inline and inline.t == 'Str' then return inline.text:match '^{#(eq%-[%w%-_]+)}(.*)$' end
end

local function equations(list)
  local found = pandoc.Inlines {}
  local index = 1
  while index <= #list do
    local inline, following = list[index], index + 1
    if inline.t == 'Math' and inline.mathtype == 'DisplayMath' then
      if list[following] and BLANKS[list[following].t] then following = following + 1 end
      local label, rest = label_behind(list[following])
      if label then
        inline = pandoc.Span({ inline }, pandoc.Attr(label, { 'equation' }))
        list[following] = pandoc.Str(rest)
        index = following - 1
      end
    end
    found:insert(inline)
    index = index + 1
  end
  return found
end

-- ---------------------------------------------------------------- a chapter

local reading = {}

--- The blocks of a chapter, its cells in their places.
local function read(chapter)
  local blocks = parse(chapter, chapter.markdown):walk {
    RawBlock = function(raw)
      if raw.format == 'cell' then return cell_blocks(chapter, chapter.cells[tonumber(raw.text) + 1]) end
    end,
  }
  return blocks
    :walk { Inlines = equations, Table = fitted }
    :walk {
      traverse = 'topdown', -- a table in a float is the float's own
      Figure = function(figure) return figure_float(figure), false end,
      Table = function(tbl) return table_float(tbl), false end,
      Div = function(div)
        if div.classes:includes 'float' then return nil, false end
        local found = div_float(div)
        return found, not found
      end,
    }
    :walk { Div = function(div) return callout(chapter, div) end }
    :walk { Inlines = unbroken }
end

--- The blocks of a chapter that an earlier run kept; nil for another text, or a damaged file.
local function kept(chapter)
  local file <close> = io.open(chapter.kept)
  local digest, json = (file and file:read 'a' or ''):match '^(%x+)\n(.*)$'
  if digest ~= chapter.digest then return nil end
  local whole, document = pcall(pandoc.read, json, 'json')
  return whole and document.blocks or nil
end

--- Keeps the blocks of a chapter for the next run; written to a file of this run's own, then renamed,
-- so that no file is half there.
local function keep(chapter, blocks)
  local aside = chapter.aside
  local file = assert(io.open(aside, 'w'))
  file:write(chapter.digest, '\n', pandoc.write(pandoc.Pandoc(blocks), 'json'))
  file:close()
  assert(os.rename(aside, chapter.kept))
  return blocks
end

local function note_image(chapter, image)
  if image.src:match(OUTSIDE) then
    state.complain(chapter, ('shows an image from outside, %s; put the file beside the chapter'):format(image.src))
  end
  state.show_image(image.src)
end

--- The blocks of a chapter, read anew only if anything in it has changed.
function reading.blocks(chapter)
  local blocks = kept(chapter) or keep(chapter, read(chapter))
  blocks:walk { Image = function(image) note_image(chapter, image) end }
  return blocks
end

return reading
