--- Turns the chapters of a book into HTML pages, or into one typst document.
--
-- Run as `pandoc lua book.lua JOB`. JOB is JSON and holds the chapters: the Markdown of each, with
-- its code cells and their outputs apart, and the form that is wanted. Printed is JSON: the problems
-- found, the images shown, and the pages or the typst text. What Quarto would leave in the page as
-- `?@fig-x` is a problem here.

local ASSETS = pandoc.path.directory(arg[0])
package.path = pandoc.path.join { ASSETS, '?.lua' } .. ';' .. package.path

local state = require 'state'
local reading = require 'reading'
local numbering = require 'numbering'
local references = require 'references'
local screen = require 'screen'
local paper = require 'paper'

--- Values, verdicts and so on in the form of one output, which the filter reads from FORMAT.
local function evidence(format)
  FORMAT = format
  return dofile(pandoc.path.join { ASSETS, 'evidence.lua' })[1]
end

local write = {
  html = function(chapters) return screen.pages(chapters, evidence 'html') end,
  typst = function(chapters) return paper.document(chapters, evidence 'typst') end,
}

local function answer(job)
  local chapters = pandoc.List(job.chapters)
  for _, chapter in ipairs(chapters) do
    chapter.blocks = reading.blocks(chapter)
    numbering.number(chapter)
  end
  references.resolve(chapters)
  references.cite(chapters, job.bibliography)
  if #state.problems > 0 then return { problems = state.problems } end
  return { problems = state.problems, images = state.images_shown(), written = write[job.form](chapters) }
end

local asked <close> = io.open(arg[1])
io.stdout:write(pandoc.json.encode(answer(pandoc.json.decode(asked:read 'a', false))))
