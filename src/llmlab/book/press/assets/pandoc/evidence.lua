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

--- Ways to print a wide table, in letters: in its line, between two columns, in a cell that stays whole.
local SETTINGS = {
  { line = 104, gutter = 3, short = 20 },
  { line = 120, gutter = 2, short = 20, small = true },
  { line = 120, gutter = 2, short = 0, small = true },
}
local FULL = 0.88 -- share of a line above which words would crowd
local BOLD = 1.1 -- width of a bold letter

local MOST_ROWS = 16 -- of a folded table that is printed

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
local WHOLE_BOX = '#block(width: 100%%, above: 0.9em, below: 0.9em, layout(area => { '
  .. 'let verdict = block.with(width: area.width, inset: (x: 1.1em, y: 0.55em), radius: 3pt, '
  .. 'fill: rgb("%s"), stroke: (left: 3pt + rgb("%s"))); let content = [#set text(size: 0.92em); '
  .. '#set par(spacing: 0.65em); #set table(fill: none, inset: (x: 5pt, y: 1.7pt)); #show table: set text(size: 8.3pt)'
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

--- A sentence in place of a folded table that would fill a printed page.
local function without_rows(tbl)
  local count = 0
  for _, body in ipairs(tbl.bodies) do count = count + #body.body end
  if count <= MOST_ROWS then return nil end
  local sentence = 'The HTML edition shows the %d rows of this table, and `results/` holds the recorded table behind it.'
  return pandoc.read(sentence:format(count)).blocks
end

--- One click away on screen, open and small in print.
local function details(div)
  local summary = div.attributes.summary or 'Details'
  if in_print then
    div.content = div.content:walk { Table = without_rows }
    local box = '#block(width: 100%, above: 1.2em, below: 1.2em)[#set text(size: 0.9em); #set par(justify: false)'
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

--- The letters of each word, or of the whole of a cell; bold ones are wider.
local function lengths(cell, pattern, is_bold)
  local first = cell.contents[1] and cell.contents[1].content and cell.contents[1].content[1]
  local wider = (is_bold or first and first.t == 'Strong') and BOLD or 1
  local found = pandoc.List { 0 }
  for part in pandoc.utils.stringify(cell.contents):gmatch(pattern) do found:insert(wider * utf8.len(part)) end
  return found
end

--- The columns of a table: for each the longest cell, its longest word, and the typical cell, in letters.
-- The head of a column may take several lines, so only its words count.
local function measured(tbl)
  local columns = tbl.colspecs:map(function() return { longest = 0, word = 0, squares = 0, cells = 0 } end)
  local function read(row, in_head)
    for index, cell in ipairs(row.cells) do
      local column = columns[index]
      local word = math.max(table.unpack(lengths(cell, '[^ ]+', in_head)))
      local whole = in_head and word or math.max(table.unpack(lengths(cell, '.+')))
      column.word, column.longest = math.max(column.word, word), math.max(column.longest, whole)
      column.squares, column.cells = column.squares + whole ^ 2, column.cells + 1
    end
  end
  tbl.head.rows:map(function(row) read(row, true) end)
  for _, body in ipairs(tbl.bodies) do body.body:map(function(row) read(row, false) end) end
  return columns
end

local function sum(list)
  local total = 0
  for _, number in ipairs(list) do total = total + number end
  return total
end

--- The least width of each column: its longest word, or its longest cell if all are short.
local function least_widths(columns, setting)
  return columns:map(function(column)
    return (column.longest <= setting.short and column.longest or column.word) + setting.gutter
  end)
end

local function setting_for(columns)
  for _, setting in ipairs(SETTINGS) do
    if sum(least_widths(columns, setting)) <= FULL * setting.line then return setting end
  end
  return SETTINGS[#SETTINGS]
end

--- A table that is wider than the page gets columns in proportion to their text, none of them
-- narrower than its longest word, and smaller type if they would crowd. Typst would make the wide
-- ones equal.
local function proportioned(tbl)
  if not in_print then return nil end
  local columns = measured(tbl)
  local usual = SETTINGS[1]
  if sum(columns:map(function(column) return column.longest + usual.gutter end)) <= usual.line then return nil end
  local setting = setting_for(columns)
  local least = least_widths(columns, setting)
  local more = columns:map(function(column, index)
    return math.max(0, math.sqrt(column.squares / column.cells) + setting.gutter - least[index])
  end)
  local room = math.max(0, setting.line - sum(least)) / math.max(1, sum(more))
  local widths = least:map(function(letters, index) return letters + room * more[index] end)
  local whole = sum(widths)
  tbl.colspecs = tbl.colspecs:map(function(spec, index) return { spec[1], widths[index] / whole } end)
  if not setting.small then return tbl end
  local small = '#block(width: 100%)[#set table(inset: (x: 3pt, y: 4pt)); #show table: set text(size: 7.8pt)'
  return enclosed(small, { tbl })
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
