--- The pages of the site: body, title, contents and the text that the search looks through.

local state = require 'state'

local WRITER = { html_math_method = 'mathml', wrap_text = 'wrap-none' }
local CONTENTS_DEPTH = 3

local screen = {}

local function html(text)
  return pandoc.RawBlock('html', text)
end

local function enclosed(before, content, after)
  local blocks = pandoc.Blocks { html(before) }
  blocks:extend(content)
  blocks:insert(html(after))
  return blocks
end

local function written(blocks)
  return pandoc.write(pandoc.Pandoc(blocks), 'html5', WRITER)
end

local function text(content)
  return written { pandoc.Plain(content) }
end

local function id(element)
  return element.identifier ~= '' and (' id="%s"'):format(element.identifier) or ''
end

local function header(element)
  local number, anchor = element.attributes.number, '<a class="anchor" href="#%s" aria-label="Link to this section">#</a>'
  element.attributes.number = nil
  if number and number ~= '' then
    element.content:insert(1, pandoc.Space())
    element.content:insert(1, pandoc.Span({ pandoc.Str(number) }, { class = 'number' }))
  end
  element.content:insert(pandoc.RawInline('html', anchor:format(element.identifier)))
  return element
end

local function float(div)
  local blocks, caption = div.content[1].content, text(div.content[2].content[1].content)
  local number, kind = div.attributes.number, div.classes[2]
  if number then caption = ('<span class="float-number">%s</span> %s'):format(number, caption) end
  blocks:insert(kind == 'tbl' and 1 or #blocks + 1, html('<figcaption>' .. caption .. '</figcaption>'))
  return enclosed(('<figure class="float %s"%s>'):format(kind, id(div)), blocks, '</figure>')
end

local function callout(div)
  local title, collapse = text(div.content[1].content[1].content), div.attributes.collapse
  local attributes = ('class="callout %s"%s%s'):format(div.classes[2], id(div), collapse == 'false' and ' open' or '')
  local body = enclosed('<div class="callout-body">', div.content[2].content, '</div>')
  if collapse then
    return enclosed(('<details %s><summary class="callout-title">%s</summary>'):format(attributes, title), body, '</details>')
  end
  return enclosed(('<div role="note" %s><p class="callout-title">%s</p>'):format(attributes, title), body, '</div>')
end

local function code(block)
  local fold, summary = block.attributes.fold, block.attributes.summary
  block.attributes.fold, block.attributes.summary = nil, nil
  if fold ~= 'true' and fold ~= 'show' then return block end
  local before = '<details class="code-fold"%s><summary>%s</summary>'
  return enclosed(before:format(fold == 'show' and ' open' or '', text(summary)), { block }, '</details>')
end

local function equation(span)
  if not span.classes:includes 'equation' then return nil end
  span.content:insert(pandoc.Span({ pandoc.Str(span.attributes.number) }, { class = 'equation-number' }))
  span.attributes.number = nil
  return span
end

local ESCAPED = { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;' }

--- Keeps an option such as --score on one line; a browser would break it after its dashes.
local function options(element)
  local words = ' ' .. element.text:gsub('[&<>]', ESCAPED)
  local kept, count = words:gsub('( )(%-[%w%-]+)', '%1<span class="unbroken">%2</span>')
  if count == 0 then return nil end
  return pandoc.RawInline('html', ('<code>%s</code>'):format(kept:sub(2)))
end

--- Puts the page in front of a label that stands on another one.
local function link(chapter, element)
  local label = element.target:match '^#(.+)$'
  local target = not chapter.own[label] and state.targets[label]
  if not target or target.chapter == chapter then return nil end
  element.target = chapter.offset .. target.chapter.page .. element.target
  return element
end

--- A chart opens by itself when it is clicked, which helps on a phone.
local function image(chapter, element)
  local chart = element.src:match '^figures/'
  element.src = chapter.offset .. element.src
  element.attributes.loading = 'lazy'
  if not chart then return element end
  element.classes:insert 'chart'
  return pandoc.Link({ element }, element.src, '', { class = 'enlarge' })
end

local function body(chapter, blocks)
  -- links first: what a caption holds is text once its float is written
  return written(blocks
    :walk {
      Header = header,
      CodeBlock = code,
      Code = options,
      Span = equation,
      Link = function(element) return link(chapter, element) end,
      Image = function(element) return image(chapter, element) end,
    }
    :walk {
      Div = function(div)
        if div.classes:includes 'float' then return float(div) end
        if div.classes:includes 'callout' then return callout(div) end
      end,
    }
    :walk {
      traverse = 'topdown',
      Table = function(tbl) return enclosed('<div class="table-scroll" tabindex="0">', { tbl }, '</div>'), false end,
    })
end

local function is_listed(block)
  return block.t == 'Header' and block.level <= CONTENTS_DEPTH
end

local function contents(blocks)
  return blocks:filter(is_listed):map(function(block)
    return { id = block.identifier, level = block.level, title = text(block.content) }
  end)
end

--- The plain text below each heading, without what stands for formulas and images.
local function search(chapter, blocks)
  blocks = blocks:walk {
    Math = function(math) if math.mathtype == 'DisplayMath' then return {} end end,
    Image = function() return {} end,
  }
  local sections = pandoc.List { { id = '', title = pandoc.utils.stringify(chapter.title), blocks = pandoc.Blocks {} } }
  for _, block in ipairs(blocks) do
    if is_listed(block) then
      sections:insert { id = block.identifier, title = pandoc.utils.stringify(block), blocks = pandoc.Blocks {} }
    else
      sections[#sections].blocks:insert(block)
    end
  end
  return sections:map(function(section)
    local plain = pandoc.write(pandoc.Pandoc(section.blocks), 'plain', WRITER)
    plain = plain:gsub('%-%-%-+', ' '):gsub('%s+', ' ') -- rules of tables
    return { id = section.id, title = section.title, text = plain }
  end)
end

local function page(chapter, evidence)
  local blocks = chapter.blocks:walk(evidence)
  return {
    number = chapter.number,
    label = chapter.label,
    title = text(chapter.title),
    title_text = pandoc.utils.stringify(chapter.title),
    contents = contents(blocks),
    search = search(chapter, blocks),
    body = body(chapter, blocks),
  }
end

function screen.pages(chapters, evidence)
  return chapters:map(function(chapter) return page(chapter, evidence) end)
end

return screen
