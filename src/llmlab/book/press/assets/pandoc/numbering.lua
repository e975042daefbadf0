--- Numbers chapters, sections, figures, tables and equations, as Quarto does in a book.

local state = require 'state'

local numbering = {}
local last = { chapter = 0, appendix = 0 }

--- "3", "B", or "" for a chapter without a number.
local function chapter_number(chapter, title)
  if title.classes:includes 'unnumbered' then return '' end
  local series = chapter.appendix and 'appendix' or 'chapter'
  last[series] = last[series] + 1
  return chapter.appendix and string.char(string.byte 'A' + last.appendix - 1) or tostring(last.chapter)
end

--- The title leaves the blocks: each output sets it by itself.
local function take_title(chapter, title)
  if chapter.title then
    state.complain(chapter, 'has a second title, ' .. pandoc.utils.stringify(title))
  end
  chapter.number = chapter_number(chapter, title)
  chapter.title, chapter.label = title.content, title.identifier
  local word = chapter.appendix and 'Appendix ' or 'Chapter '
  local text = chapter.number == '' and pandoc.utils.stringify(title) or word .. chapter.number
  state.register(chapter, title.identifier, chapter.number, text)
  return {}
end

--- "2.1.3", counted on from the last section; "" for one without a number.
local function section_number(chapter, header, counts)
  if header.classes:includes 'unnumbered' or chapter.number == '' then return '' end
  counts[header.level] = (counts[header.level] or 0) + 1
  for deeper = header.level + 1, 6 do counts[deeper] = 0 end
  return table.concat({ chapter.number, table.unpack(counts, 2, header.level) }, '.')
end

local function number_section(chapter, header, counts)
  local number = section_number(chapter, header, counts)
  header.attributes.number = number
  if state.kind_of(header.identifier) then
    local text = number == '' and pandoc.utils.stringify(header) or 'Section ' .. number
    state.register(chapter, header.identifier, number, text)
  end
  return header
end

--- Sets the attribute `number` of every section, labelled float and equation of a chapter.
function numbering.number(chapter)
  local sections, things = { 0, 0, 0, 0, 0, 0 }, { fig = 0, tbl = 0, eq = 0 }
  local function number_thing(element, kind)
    things[kind] = things[kind] + 1
    local number = (chapter.number ~= '' and chapter.number .. '.' or '') .. things[kind]
    local text = state.names[kind] .. ' ' .. number
    state.register(chapter, element.identifier, number, text)
    element.attributes.number = kind == 'eq' and '(' .. number .. ')' or text
    return element
  end
  chapter.blocks = chapter.blocks:walk {
    traverse = 'topdown',
    Header = function(header)
      if header.level == 1 then return take_title(chapter, header) end
      return number_section(chapter, header, sections)
    end,
    Div = function(div)
      local kind = state.kind_of(div.identifier)
      if kind and div.classes:includes 'float' then return number_thing(div, kind) end
    end,
    Span = function(span)
      if span.classes:includes 'equation' then return number_thing(span, 'eq') end
    end,
  }
  if not chapter.title then state.complain(chapter, 'has no title; begin it with `# Title {#sec-name}`') end
end

return numbering
