--- Values, verdicts, badges and details, for any renderer built on pandoc (Quarto and the preview).
-- On screen they become HTML classes; in print, footnotes and boxes of typst.

local SIGNS = {
  supported = '✓', refuted = '✗', undecided = '?', untested = '–',
  current = '✓', recorded = '✓', done = '✓', answered = '✓',
  stale = '!', partial = '…', running = '…', exploring = '…',
  missing = '–', open = '–', todo = '–', superseded = '→',
}

local GREEN, RED = { '#1a7f4b', '#eef7f1' }, { '#b3372f', '#fbf0ef' } -- in print: ink, ground
local AMBER, GREY = { '#8a6100', '#fbf5e6' }, { '#5d6673', '#f3f4f6' }
local COLOURS = {
  supported = GREEN, current = GREEN, recorded = GREEN, done = GREEN, answered = GREEN,
  refuted = RED, stale = RED,
  undecided = AMBER, partial = AMBER, running = AMBER, exploring = AMBER,
}

local in_print = FORMAT:match('typst') or FORMAT:match('latex')

local function kind_of(element)
  local class = element.classes:find_if(function(name) return SIGNS[name] ~= nil end)
  return class or 'untested'
end

local function capitalised(word)
  return word:sub(1, 1):upper() .. word:sub(2)
end

local function typst(text)
  return pandoc.RawBlock('typst', text)
end

local function typst_inline(text)
  return pandoc.RawInline('typst', text)
end

local function boxed(blocks, arguments, setting)
  local box = pandoc.Blocks { typst('#block(' .. arguments .. ')[' .. (setting or '')) }
  box:extend(blocks)
  box:insert(typst(']'))
  return box
end

--- A number with its provenance: a hint on screen, a footnote in print.
local function value(span)
  local provenance = span.attributes.title
  if not provenance then return nil end
  if in_print then
    local content = pandoc.Inlines(span.content)
    content:insert(pandoc.Note { pandoc.Plain { pandoc.Str(provenance) } })
    return content
  end
  span.attributes.tabindex = '0'
  return span
end

local function badge(span)
  local kind = kind_of(span)
  if in_print then
    local ink = (COLOURS[kind] or GREY)[1]
    local content = pandoc.Inlines { typst_inline('#text(fill: rgb("' .. ink .. '"))['), pandoc.Str(SIGNS[kind] .. '\u{a0}') }
    content:extend(span.content)
    content:insert(typst_inline(']'))
    return content
  end
  span.content:insert(1, pandoc.Span({ pandoc.Str(SIGNS[kind]) }, { class = 'sign', ['aria-hidden'] = 'true' }))
  return span
end

--- The box of a verdict: sign, word and colour, so that none is needed alone.
local function verdict(div)
  local kind = kind_of(div)
  local sign, word = SIGNS[kind], capitalised(kind)
  local label, title = div.attributes.label or '', div.attributes.title or ''
  div.attributes.label, div.attributes.title = nil, nil
  local title_inlines = pandoc.utils.blocks_to_inlines(pandoc.read(title, 'markdown').blocks)
  if in_print then
    local border, ground = table.unpack(COLOURS[kind] or GREY)
    local head = pandoc.Inlines { typst_inline('#text(fill: rgb("' .. border .. '"), weight: "bold")['),
      pandoc.Str(sign .. ' ' .. word), typst_inline('] #h(1fr) #text(size: 0.85em)['), pandoc.Str(label), typst_inline(']') }
    local content = pandoc.Blocks { pandoc.Para(head), pandoc.Para { pandoc.Strong(title_inlines) } }
    content:extend(div.content)
    return boxed(content, 'width: 100%, inset: (x: 1.1em, y: 1em), radius: 3pt, fill: rgb("' .. ground
      .. '"), stroke: (left: 3pt + rgb("' .. border .. '")), above: 1.6em, below: 1.6em')
  end
  local head = pandoc.Div({
    pandoc.Plain {
      pandoc.Span({ pandoc.Str(sign) }, { class = 'sign', ['aria-hidden'] = 'true' }),
      pandoc.Span({ pandoc.Str(word) }, { class = 'word' }),
      pandoc.Span({ pandoc.Str(label) }, { class = 'label' }),
    },
  }, { class = 'verdict-head' })
  div.content:insert(1, head)
  if #title_inlines > 0 then
    div.content:insert(2, pandoc.Div({ pandoc.Para(title_inlines) }, { class = 'verdict-title' }))
  end
  return div
end

--- Numbers one click away: closed on screen, open and small in print.
local function details(div)
  local summary = div.attributes.summary or 'Details'
  if in_print then
    local content = pandoc.Blocks { pandoc.Para { pandoc.Emph(summary) } }
    content:extend(div.content)
    return boxed(content, 'width: 100%, above: 1.2em, below: 1.2em', '#set text(size: 0.9em)')
  end
  local content = pandoc.Blocks {
    pandoc.RawBlock('html', '<details class="details"><summary>'),
    pandoc.Plain { pandoc.Str(summary) },
    pandoc.RawBlock('html', '</summary>'),
  }
  content:extend(div.content)
  content:insert(pandoc.RawBlock('html', '</details>'))
  return content
end

--- What the marks of a table mean and where its numbers stand: small.
local function source(div)
  if not in_print then return nil end
  local content = pandoc.Blocks { typst('#text(size: 0.8em)[') }
  content:extend(div.content)
  content:insert(typst(']'))
  return content
end

--- Where the numbers of a table stand.
local function source(div)
  if in_print then return boxed(div.content, 'width: 100%, above: 0.7em', '#set text(size: 0.85em, fill: rgb("#59606b"))') end
end

--- Cards stand side by side.
local function cards(div)
  if not in_print then return nil end
  local content = pandoc.Blocks { typst('#grid(columns: (1fr,) * ' .. #div.content .. ', gutter: 0.8em, ') }
  for _, card in ipairs(div.content) do
    content:insert(typst('block(width: 100%, inset: 0.9em, radius: 3pt, fill: rgb("#f7f6f2"))['))
    content:extend(card.content)
    content:insert(typst('],'))
  end
  content:insert(typst(')'))
  return content
end

return {
  {
    Span = function(span)
      if span.classes:includes('value') then return value(span) end
      if span.classes:includes('badge') then return badge(span) end
    end,
    Div = function(div)
      if div.classes:includes('verdict') then return verdict(div) end
      if div.classes:includes('details') then return details(div) end
      if div.classes:includes('source') then return source(div) end
      if div.classes:includes('source') then return source(div) end
      if div.classes:includes('cards') then return cards(div) end
    end,
  },
}
