--- Turns the chapters of a book into HTML pages and one typst document, in a single run of pandoc.
--
-- Run as `pandoc lua book.lua JOB`. JOB is JSON and holds the chapters: the Markdown of each, with
-- its code cells and their outputs apart. Printed are two lines of JSON: first the typst text, the
-- images shown and the problems found, then the pages. So the PDF is set while the pages are written.
-- What Quarto would leave in the page as `?@fig-x` is a problem here.

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

local function answer(content)
  io.stdout:write(pandoc.json.encode(content), '\n')
  io.stdout:flush()
end

local function main(job)
  local chapters = pandoc.List(job.chapters)
  for _, chapter in ipairs(chapters) do
    chapter.blocks = reading.blocks(chapter)
    numbering.number(chapter)
  end
  references.resolve(chapters)
  references.cite(chapters, job.bibliography)
  if #state.problems > 0 then return answer { problems = state.problems } end
  answer {
    problems = state.problems,
    images = state.images_shown(),
    typst = paper.document(chapters, evidence 'typst'),
  }
  answer(screen.pages(chapters, evidence 'html'))
end

local asked <close> = io.open(arg[1])
main(pandoc.json.decode(asked:read 'a', false))
