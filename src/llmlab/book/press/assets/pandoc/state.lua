--- What all steps share: the labels of the book, the images it shows, and what is wrong with it.

local state = {
  problems = pandoc.List {}, -- sentences
  targets = {}, -- label -> { chapter, number, text }
  names = { fig = 'Figure', tbl = 'Table', eq = 'Equation', sec = 'Section' },
}

local images = {} -- place below the site -> true

function state.complain(chapter, text)
  state.problems:insert(('chapters/%s.py: %s'):format(chapter.name, text))
end

--- "fig" for the label "fig-x"; nil for one that no cross-reference can name.
function state.kind_of(label)
  local kind = label:match '^(%a+)%-.'
  return state.names[kind] and kind
end

--- Makes a label known; `text` is what a reference to it says.
function state.register(chapter, label, number, text)
  local other = state.targets[label]
  if other then
    state.complain(chapter, ('the label %s is also in chapters/%s.py'):format(label, other.chapter.name))
  end
  state.targets[label] = { chapter = chapter, number = number, text = text }
end

function state.show_image(place)
  images[place] = true
end

function state.images_shown()
  local places = pandoc.List {}
  for place in pairs(images) do places:insert(place) end
  places:sort()
  return places
end

return state
