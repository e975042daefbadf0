--- The typst text of the whole book; the functions that it calls are in book.typ.

local state = require 'state'

local WRITER = { wrap_text = 'wrap-none' }
local FORMAT_NAME = 'typst-citations' -- citations are set already
local PIXELS_PER_INCH = 112 -- of a page on screen, when its images are printed

local paper = {}

local function raw(text)
  return pandoc.RawBlock('typst', text)
end

local function quoted(text)
  return '"' .. (text or ''):gsub('\\', '\\\\'):gsub('"', '\\"') .. '"'
end

local function written(blocks)
  return pandoc.write(pandoc.Pandoc(blocks), FORMAT_NAME, WRITER)
end

local function text(content)
  return (written({ pandoc.Plain(content) }):gsub('%s+$', ''))
end

--- "#name(arguments)[", content, "] <label>"
local function call(name, arguments, content, label)
  local blocks = pandoc.Blocks { raw(('#%s(%s)['):format(name, arguments)) }
  blocks:extend(content)
  blocks:insert(raw(label and label ~= '' and ('] <%s>'):format(label) or ']'))
  return blocks
end

--- A label of the whole book, or one that only its chapter knows.
local function unique(chapter, label)
  local target = state.targets[label]
  if target and (target.chapter == chapter or not chapter.own[label]) then return label end
  return chapter.name:gsub('/', '-') .. '--' .. label
end

local function header(chapter, element)
  local call_text = '#section(level: %d, number: %s)[%s] <%s>'
  return raw(call_text:format(element.level, quoted(element.attributes.number), text(element.content),
    unique(chapter, element.identifier)))
end

local function float(div)
  local arguments = ('kind: "%s", number: %s, caption: [%s]'):format(
    div.classes[2], quoted(div.attributes.number), text(div.content[2].content[1].content))
  return call('float', arguments, div.content[1].content, div.identifier)
end

local function callout(div)
  local title = text(div.content[1].content[1].content)
  return call('callout', ('kind: "%s", title: [%s]'):format(div.classes[2], title), div.content[2].content)
end

--- Typst spaces operators and relations itself. Pandoc would write `\!` as a whole em backwards, `\;`
-- as a space of no width, and the name of a function as text, with a space before its bracket.
local function formula(math)
  math.text = math.text:gsub('\\[!;]', ' ')
  local set = text { math }:gsub('"(%a+)" *(\\?%()', 'op("%1") %2')
  return pandoc.RawInline('typst', set)
end

local function is_announcing(block, following)
  if block.t ~= 'Para' or not following then return false end
  local is_verdict = following.t == 'Div' and following.classes:includes 'verdict'
  return is_verdict or pandoc.utils.stringify(block):match ':$' ~= nil
end

--- A sentence stays with what it announces, and a table with its source.
local function joined(blocks)
  local found, index = pandoc.Blocks {}, 1
  while index <= #blocks do
    local block, following = blocks[index], blocks[index + 1]
    if block.t == 'Table' then
      local source = following and following.t == 'Div' and following.classes:includes 'source'
      block = pandoc.Div(source and { block, following } or { block }, { class = 'kept' })
      index = source and index + 1 or index
    elseif is_announcing(block, following) then
      block = pandoc.Div({ block }, { class = 'announcing' })
    end
    found:insert(block)
    index = index + 1
  end
  return found
end

local function div(element)
  if element.classes:includes 'kept' then return call('kept', '', element.content) end
  if element.classes:includes 'announcing' then return call('announcing', '', element.content) end
  if element.classes:includes 'float' then return float(element) end
  if element.classes:includes 'callout' then return callout(element) end
  if element.identifier == 'refs' then return call('references', '', element.content) end
  if element.identifier:match '^ref%-' then return call('entry', '', element.content, element.identifier) end
end

local function equation(span)
  if not span.classes:includes 'equation' then return nil end
  local list = pandoc.Inlines { pandoc.RawInline('typst', ('#equation(%s)['):format(quoted(span.attributes.number))) }
  list:extend(span.content)
  list:insert(pandoc.RawInline('typst', ('] <%s>'):format(span.identifier)))
  return list
end

local function unbroken(span)
  if not span.classes:includes 'unbroken' then return nil end
  local list = pandoc.Inlines { pandoc.RawInline('typst', '#box[') }
  list:extend(span.content)
  list:insert(pandoc.RawInline('typst', ']'))
  return list
end

local function code(block)
  block.attributes.fold, block.attributes.summary = nil, nil
  return block
end

local function link(chapter, element)
  local label = element.target:match '^#(.+)$'
  if not label then return nil end
  element.target = '#' .. unique(chapter, label)
  return element
end

--- Written here, because pandoc leaves the alternative text out.
local function image(element)
  local width = element.attributes.width
  local size = width and (', width: %.2fin'):format(width / PIXELS_PER_INCH) or ''
  local alternative = element.attributes.alt or pandoc.utils.stringify(element.caption)
  return pandoc.RawInline('typst', ('#box(image(%s, alt: %s%s))'):format(
    quoted('/' .. element.src), quoted(alternative), size))
end

local function bold_head(tbl)
  tbl.head.rows = tbl.head.rows:map(function(row)
    row.cells = row.cells:map(function(cell)
      cell.contents = cell.contents:walk { Plain = function(plain) return pandoc.Plain { pandoc.Strong(plain.content) } end }
      return cell
    end)
    return row
  end)
  return tbl
end

local function body(chapter, evidence)
  return written(chapter.blocks:walk { Blocks = joined }:walk(evidence):walk {
    Header = function(element) return header(chapter, element) end,
    Link = function(element) return link(chapter, element) end,
    Div = div,
    Math = formula,
    Span = function(span) return equation(span) or unbroken(span) end,
    CodeBlock = code,
    Image = image,
    Table = bold_head,
  })
end

function paper.document(chapters, evidence)
  local pieces, part = pandoc.List {}, ''
  for _, chapter in ipairs(chapters) do
    if chapter.part ~= part then
      part = chapter.part
      pieces:insert(('#part[%s]\n'):format(text(part)))
    end
    pieces:insert(('#chapter(number: %s, appendix: %s)[%s] <%s>\n'):format(
      quoted(chapter.number), chapter.appendix, text(chapter.title), unique(chapter, chapter.label)))
    pieces:insert(body(chapter, evidence))
  end
  return table.concat(pieces, '\n')
end

return paper
