--- Values, verdicts, badges, details, sources and cards, for any renderer built on pandoc: Quarto
-- runs this as a filter, and the preview does. On screen they become HTML that evidence.css styles;
-- in print, footnotes and boxes of typst.

local GREEN = { ink = '#1a7f4b', ground = '#eef7f1' } -- in print
local RED = { ink = '#b3372f', ground = '#fbf0ef' }
local AMBER = { ink = '#8a6100', ground = '#fbf5e6' }
local GREY = { ink = '#5d6673', ground = '#f3f4f6' }
local MUTED = '#59606b'

local KINDS = {
  supported = { '✓', GREEN }, refuted = { '✗', RED }, undecided = { '?', AMBER }, untested = { '–', GREY },
  current = { '✓', GREEN }, recorded = { '✓', GREEN }, done = { '✓', GREEN }, answered = { '✓', GREEN },
  partial = { '…', AMBER }, running = { '…', AMBER }, exploring = { '…', AMBER },
  stale = { '!', RED }, superseded = { '→', GREY },
  missing = { '–', GREY }, open = { '–', GREY }, todo = { '–', GREY },
}

local LINE, SHORT, GUTTER = 95, 16, 3 -- letters in a line of a printed table, in a short cell, between two columns

local DRAWING = 0.6 -- width of a drawing in a printed verdict, beside one outside of it

local in_print = FORMAT:match 'typst' ~= nil

--- The name, sign and colours of what the classes of an element say.
local function kind_of(element)
  local name = element.classes:find_if(function(class) return KINDS[class] ~= nil end) or 'untested'
  return name, table.unpack(KINDS[name])
end

local function typst(text)
  return pandoc.RawInline('typst', text)
end

--- `#function[content]`, as blocks.
local function enclosed(before, content, after)
  local blocks = pandoc.Blocks { pandoc.RawBlock('typst', before) }
  blocks:extend(content)
  blocks:insert(pandoc.RawBlock('typst', after or ']'))
  return blocks
end

local function sign_of(text)
  return pandoc.Span({ pandoc.Str(text) }, { class = 'sign', ['aria-hidden'] = 'true' })
end

--- A number with its provenance: a hint on screen, a footnote in print.
local function value(span)
  local provenance = span.attributes.title
  if not provenance then return nil end
  if in_print then
    span.content:insert(pandoc.Note { pandoc.Plain { pandoc.Str(provenance) } })
    return span.content
  end
  span.attributes.tabindex = '0'
  return span
end

local function badge(span)
  local _, sign, tone = kind_of(span)
  if not in_print then
    span.content:insert(1, sign_of(sign))
    return span
  end
  span.content:insert(1, pandoc.Str(sign .. '\u{a0}'))
  span.content:insert(1, typst(('#text(fill: rgb("%s"))['):format(tone.ink)))
  span.content:insert(typst ']')
  return span.content
end

--- A box that no page break divides, unless it is longer than a page; small enough that two of them
-- often share one.
local WHOLE_BOX = '#block(width: 100%%, above: 1.1em, below: 1.1em, layout(area => { '
  .. 'let verdict = block.with(width: area.width, inset: (x: 1.1em, y: 0.7em), radius: 3pt, '
  .. 'fill: rgb("%s"), stroke: (left: 3pt + rgb("%s"))); let content = [#set text(size: 0.92em); '
  .. '#set par(spacing: 0.75em); #set table(fill: none, inset: (x: 5pt, y: 2.2pt)); #show table: set text(size: 8.3pt)'
local WHOLE_BOX_END = ']; verdict(content, breakable: measure(verdict(content)).height > area.height) }))'

--- A drawing that is a paragraph of its own stands in the middle, a little smaller.
local function centred(paragraph)
  local image = paragraph.content[1]
  if #paragraph.content ~= 1 or image.t ~= 'Image' then return nil end
  local width = tonumber(image.attributes.width)
  if width then image.attributes.width = tostring(math.floor(DRAWING * width)) end
  return enclosed('#align(center)[', { paragraph })
end

local function verdict_in_print(div, word, sign, tone, title, label)
  local head = pandoc.Para {
    typst(('#text(fill: rgb("%s"), weight: "bold")['):format(tone.ink)), pandoc.Str(sign .. ' ' .. word),
    typst '] #h(1fr) #text(size: 0.85em)[', pandoc.Str(label), typst ']',
  }
  local top = #title > 0 and { head, pandoc.Para { pandoc.Strong(title) } } or { head }
  local blocks = enclosed('#block(sticky: true)[', top)
  blocks:extend(div.content:walk { Para = centred })
  return enclosed(WHOLE_BOX:format(tone.ground, tone.ink), blocks, WHOLE_BOX_END)
end

local function verdict_on_screen(div, word, sign, title, label)
  local head = pandoc.Plain {
    sign_of(sign),
    pandoc.Span({ pandoc.Str(word) }, { class = 'word' }),
    pandoc.Span({ pandoc.Str(label) }, { class = 'label' }),
  }
  div.content:insert(1, pandoc.Div({ head }, { class = 'verdict-head' }))
  if #title > 0 then
    div.content:insert(2, pandoc.Div({ pandoc.Para(title) }, { class = 'verdict-title' }))
  end
  return div
end

--- The box of a verdict: sign, word and colour, so that none is needed alone.
local function verdict(div)
  local name, sign, tone = kind_of(div)
  local word = name:sub(1, 1):upper() .. name:sub(2)
  if div.classes:includes 'check' then word = 'Check: ' .. name end
  local label = div.attributes.label or ''
  local title = pandoc.utils.blocks_to_inlines(pandoc.read(div.attributes.title or '', 'markdown').blocks)
  div.attributes.label, div.attributes.title = nil, nil
  if in_print then return verdict_in_print(div, word, sign, tone, title, label) end
  return verdict_on_screen(div, word, sign, title, label)
end

--- One click away on screen, open and small in print.
local function details(div)
  local summary = div.attributes.summary or 'Details'
  if in_print then
    local box = '#block(width: 100%, above: 1.2em, below: 1.2em)[#set text(size: 0.9em)'
    local only = #div.content == 1 and div.content[1]
    if only and only.t == 'Para' then
      only.content = pandoc.Inlines { pandoc.Emph(summary .. '.'), pandoc.Space() } .. only.content
      return enclosed(box:gsub('1.2em', '0.9em'), { only })
    end
    local title = enclosed('#block(sticky: true)[', { pandoc.Para { pandoc.Emph(summary) } })
    for index, block in ipairs(title) do div.content:insert(index, block) end
    return enclosed(box, div.content)
  end
  local blocks = pandoc.Blocks {
    pandoc.RawBlock('html', '<details class="details"><summary>'),
    pandoc.Plain { pandoc.Str(summary) },
    pandoc.RawBlock('html', '</summary>'),
  }
  blocks:extend(div.content)
  blocks:insert(pandoc.RawBlock('html', '</details>'))
  return blocks
end

--- What the marks of a table mean and where its numbers stand.
local function source(div)
  if not in_print then return nil end
  local box = '#block(width: 100%%, above: 0.7em)[#set text(size: 0.8em, fill: rgb("%s"))'
  return enclosed(box:format(MUTED), div.content)
end

--- The answer of a results page, below its title.
local function answer(div)
  if not in_print then return nil end
  return enclosed('#block(width: 100%, below: 1.6em)[#set text(size: 1.1em)', div.content)
end

--- Boxes side by side.
local function cards(div)
  if not in_print then return nil end
  local blocks = pandoc.Blocks {}
  for _, card in ipairs(div.content) do
    local box = 'block(width: 100%, inset: 0.9em, radius: 3pt, fill: rgb("#f7f6f2"))['
    blocks:extend(enclosed(box, card.content, '],'))
  end
  return enclosed(('#grid(columns: (1fr,) * %d, gutter: 0.8em, '):format(#div.content), blocks, ')')
end

--- The columns of a table: for each the longest cell, its longest word, and the typical cell, in letters.
local function measured(tbl)
  local columns = pandoc.List {}
  local function read(row)
    for index, cell in ipairs(row.cells) do
      local text = pandoc.utils.stringify(cell.contents)
      local column = columns[index] or { longest = 0, word = 0, squares = 0, cells = 0 }
      local length = utf8.len(text)
      column.longest = math.max(column.longest, length)
      for word in text:gmatch '[^ ]+' do column.word = math.max(column.word, utf8.len(word)) end
      column.squares, column.cells = column.squares + length ^ 2, column.cells + 1
      columns[index] = column
    end
  end
  tbl.head.rows:map(read)
  for _, body in ipairs(tbl.bodies) do body.body:map(read) end
  return columns
end

local function sum(list)
  local total = 0
  for _, number in ipairs(list) do total = total + number end
  return total
end

--- A table that is wider than the page gets columns in proportion to their text, none of them
-- narrower than its longest word, nor than its longest cell if all are short. Typst would make the
-- wide ones equal.
local function proportioned(tbl)
  if not in_print then return nil end
  local columns = measured(tbl)
  if sum(columns:map(function(column) return column.longest + GUTTER end)) <= LINE then return nil end
  local least = columns:map(function(column)
    return (column.longest <= SHORT and column.longest or column.word) + GUTTER
  end)
  local more = columns:map(function(column, index)
    return math.max(0, math.sqrt(column.squares / column.cells) + GUTTER - least[index])
  end)
  local room = math.max(0, LINE - sum(least)) / math.max(1, sum(more))
  local widths = least:map(function(letters, index) return letters + room * more[index] end)
  local whole = sum(widths)
  tbl.colspecs = tbl.colspecs:map(function(spec, index) return { spec[1], widths[index] / whole } end)
  return tbl
end

local SPANS = { value = value, badge = badge }
local DIVS = { verdict = verdict, details = details, answer = answer, source = source, cards = cards }

local function by_class(functions)
  return function(element)
    local class = element.classes:find_if(function(name) return functions[name] ~= nil end)
    if class then return functions[class](element) end
  end
end

return { { Span = by_class(SPANS), Div = by_class(DIVS), Table = proportioned } }
