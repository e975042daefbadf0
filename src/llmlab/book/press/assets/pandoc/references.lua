--- Cross-references, links between chapters, and citations, over the whole book.

local state = require 'state'

local references = {}

--- Every label that stands in these blocks -> true.
local function labels_in(blocks)
  local labels = {}
  local function note(element) labels[element.identifier] = true end
  blocks:walk { Header = note, Div = note, Span = note }
  return labels
end

local function reference(chapter, citation)
  local target = state.targets[citation.id]
  if not target then
    local name = state.names[state.kind_of(citation.id)]:lower()
    state.complain(chapter, ('@%s refers to nothing; label the %s or correct the name'):format(citation.id, name))
    return pandoc.Str '?'
  end
  local text = target.text:gsub(' ', '\u{a0}', 1)
  if #citation.prefix > 0 then
    text = pandoc.utils.stringify(citation.prefix) .. '\u{a0}' .. target.number
  elseif citation.mode == 'SuppressAuthor' then
    text = target.number
  end
  return pandoc.Link(text, '#' .. citation.id, '', { class = 'xref' })
end

--- "@fig-x [@key]" is one citation to pandoc: what is no label stays one.
local function cross_references(chapter, cite)
  local function is_label(citation) return state.kind_of(citation.id) end
  local labels = cite.citations:filter(is_label)
  if #labels == 0 then return nil end
  local list = pandoc.Inlines {}
  for index, citation in ipairs(labels) do
    if index > 1 then list:extend { pandoc.Str ',', pandoc.Space() } end
    list:insert(reference(chapter, citation))
  end
  local keys = cite.citations:filter(function(citation) return not is_label(citation) end)
  if #keys > 0 then list:extend { pandoc.Space(), pandoc.Cite({}, keys) } end
  return list
end

local function chapter_link(chapter, link, by_name)
  local name = link.attributes.chapter
  link.attributes.chapter = nil
  if not by_name[name] then
    state.complain(chapter, ('links to %s.ipynb, which is not a chapter'):format(name))
  elseif link.target == '#' then
    link.target = '#' .. by_name[name].label
  end
  return link
end

local function check_link(chapter, link)
  local label = link.target:match '^#(.+)$'
  if label and not chapter.own[label] and not state.targets[label] then
    state.complain(chapter, ('links to #%s, which does not exist'):format(label))
  end
end

--- Replaces cross-references by links to their labels; `chapter.own` are the labels of a chapter.
function references.resolve(chapters)
  local by_name = {}
  for _, chapter in ipairs(chapters) do
    by_name[chapter.name] = chapter
    chapter.own = labels_in(chapter.blocks)
  end
  for _, chapter in ipairs(chapters) do
    chapter.blocks = chapter.blocks:walk {
      Cite = function(cite) return cross_references(chapter, cite) end,
      Link = function(link)
        if link.attributes.chapter then return chapter_link(chapter, link, by_name) end
        check_link(chapter, link)
      end,
    }
  end
end

local function check_citations(chapters, bibliography)
  local known = {}
  if bibliography then
    local file <close> = io.open(bibliography)
    for _, entry in ipairs(pandoc.read(file:read 'a', 'biblatex').meta.references) do
      known[pandoc.utils.stringify(entry.id)] = true
    end
  end
  for _, chapter in ipairs(chapters) do
    chapter.blocks:walk {
      Cite = function(cite)
        for _, citation in ipairs(cite.citations) do
          if not known[citation.id] then
            state.complain(chapter, ('@%s is not in the bibliography; add it there or correct the name'):format(citation.id))
          end
        end
      end,
    }
  end
end

--- Sets citations, and the list of references where the book has `::: {#refs}`.
function references.cite(chapters, bibliography)
  check_citations(chapters, bibliography)
  if #state.problems > 0 or not bibliography then return end
  local blocks = chapters:map(function(chapter) return pandoc.Div(chapter.blocks) end)
  local book = pandoc.utils.citeproc(pandoc.Pandoc(blocks, { bibliography = bibliography, ['link-citations'] = true }))
  for index, chapter in ipairs(chapters) do
    chapter.blocks = book.blocks[index].content
    for label in pairs(labels_in(chapter.blocks)) do
      if label:match '^ref%-' then state.targets[label] = { chapter = chapter } end
    end
  end
end

return references
