--- Keeps on one line what a reader takes as one: a number and its sign, a rate such as 1e-3, the
-- name of a hypothesis, a formula and the comma behind it.

local NO_BREAK_SPACE = '\u{a0}'
local CLOSING = '^[,.;:)%]?!]'
local BEFORE_A_NUMBER = { ['='] = true, ['<'] = true, ['≈'] = true, ['±'] = true, ['(mean'] = true }
local AFTER_A_NUMBER = { ['='] = true, ['<'] = true, ['±'] = true }

local function is_text(inline, pattern)
  return inline ~= nil and inline.t == 'Str' and inline.text:match(pattern) ~= nil
end

local function is_one_of(words, inline)
  return inline ~= nil and inline.t == 'Str' and words[inline.text] ~= nil
end

local function span(content)
  return pandoc.Span(content, { class = 'unbroken' })
end

local function is_badge(inline)
  return inline ~= nil and inline.t == 'Span' and inline.classes:includes 'badge'
end

local function is_unit(inline)
  return is_text(inline, '^%%') or is_text(inline, '^points?%f[%A]') or is_text(inline, '^seeds?%f[%A]')
end

--- Whether the space between two inlines belongs to a number, as in "90 %", "2 points", "n = 5 seeds", "(mean 3)",
-- "≈ 3 ± 1" and "p < 0.1", or stands between a hypothesis and its verdict.
local function joins(before, after)
  return is_one_of(BEFORE_A_NUMBER, before) or is_one_of(AFTER_A_NUMBER, after)
    or (is_text(before, '%d$') and (is_unit(after) or is_badge(after)))
end

local function unbroken(list)
  local found, index = pandoc.Inlines {}, 1
  while index <= #list do
    local inline, following = list[index], list[index + 1]
    if inline.t == 'Space' and joins(list[index - 1], following) then
      inline = pandoc.Str(NO_BREAK_SPACE)
    elseif is_text(inline, '%w%-%d') and #inline.text < 24 then
      inline = span { inline }
    elseif inline.t == 'Math' and inline.mathtype == 'InlineMath' and is_text(following, CLOSING) then
      inline, index = span { inline, following }, index + 1
    end
    found:insert(inline)
    index = index + 1
  end
  return found
end

return unbroken
