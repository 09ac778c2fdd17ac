-- Collects the cover pictures of the people around an account into a folder.
--
--   daub collect covers --from bluesky:alice.bsky.social
--   daub collect covers --from mastodon:alice@mastodon.social --who both --limit 2000
--   daub collect covers --from folder:~/Pictures --from urls:list.txt
--
-- It can be stopped at any time and goes on where it was; run again, it fetches only what is new.
local cli = require "daub.cli"
local collect = require "daub.collect.run"
local collection = require "daub.collect.collection"
local json = require "daub.json"
local progress = require "daub.progress"
local report_lines = require "daub.collect.report"
local source = require "daub.collect.sources"
local system = require "daub.core.system"
local terms = require "daub.collect.terms"
local ui = require "daub.login.ui"

local o = cli.parse(arg, {
  name = "collect",
  summary = "people -> collection: fetches the cover pictures of the people around an account",
  usage = "COLLECTION --from SOURCE:WHO …",
  positional = { { "collection", help = "folder of the collection; made when it is missing" } },
  options = {
    { "from", type = "string", value = "SOURCE:WHO", required = true, repeated = true,
      help = "whose: see below" },
    { "api", type = "string", value = "URL", follows = "from",
      help = "another server for the source before it" },
    { "who", type = "choice", value = "WHO", help = "whose covers (default: followers), also as"
      .. " SOURCE:WHO?mutuals or SOURCE:WHO?list=NAME",
      choices = { "followers", "following", "both", "mutuals", "friends" } },
    { "limit", type = "integer", value = "N", min = 1,
      help = "at most so many people of each source" },
    { "concurrency", type = "integer", value = "N", min = 1, max = 64, default = 8,
      help = "pictures fetched at once" },
    { "on-limit", type = "choice", choices = { "wait", "stop" }, default = "wait",
      help = "what is done at a server's rate limit" },
    { "max-wait", type = "number", value = "SECONDS", min = 0, default = 1200,
      help = "longest wait a server's rate limit is granted" },
    { "refresh", type = "flag",
      help = "asks again for pictures that are there already (changed ones are fetched)" },
    { "include-noindex", type = "flag",
      help = "also people who ask not to be found by machines" },
    { "yes", type = "flag", help = "does not ask, whatever is to be confirmed (prices)" },
    { "dry-run", type = "flag", help = "lists what would be fetched and writes nothing" },
  },
  notes_of = "daub.collect.sources",
})
local report = cli.reporter(o)

-- 1. The sources.
local sources = {}
for i, from in ipairs(o.from) do
  local parsed, message, code = source.parse(from.value, { who = o.who, api = from.api,
    exclude = system.realpath(o.collection) })
  if not parsed then cli.exit(code == "usage" and 2 or 1, message) end
  sources[i] = parsed
  if o.given.who and parsed.noun ~= "people" then
    report:note(("--who %s says nothing about %s: all its %s count"):format(o.who, from.value,
      parsed.noun))
  end
end
terms.tell(sources, report)
local function ask(question)
  if o.yes then report:note(question .. " Yes (--yes).") end
  return o.yes or ui.new(report):confirm(question) or system.interrupted() and cli.interrupted()
end

-- Sources that failed are named on a line each, and end the program.
local function give_up_on(failures)
  for i = 2, #failures do report:note(failures[i]) end
  if failures[1] then cli.fail(failures[1]) end
end

system.hold_interrupts(true) -- Ctrl-C is noticed between two steps

-- 2. With --dry-run: only look.
if o.dry_run then
  local have, known, fetch = collection.open(o.collection), {}, 0
  local seen, message, code = collect.preview(sources, { limit = o.limit, report = report,
    max_wait = o.max_wait, on_limit = o.on_limit, include_noindex = o.include_noindex, ask = ask,
    collection = have, visit = function(from, person)
      local cover = person.cover or { skip = person.noindex and "noindex" or "no-cover" }
      local what = cover.skip or (have and have:knows(cover.key) or known[cover.key]) and "have"
        or "fetch"
      if cover.key then known[cover.key] = true end
      if what == "fetch" then fetch = fetch + 1 end
      report:say(progress.plain(("%-12s %s  %s"):format(what, person.handle, cover.url or "")))
      report:event({ event = "preview", network = from.network, handle = person.handle,
        what = what, url = cover.url })
    end })
  if code == "interrupted" then cli.interrupted() end
  if not seen then cli.fail(message) end
  report:say(("%d %s, %s to fetch, nothing written"):format(seen.listed, sources[1].noun,
    progress.count(fetch, "picture")))
  give_up_on(seen.failures)
  return system.hold_interrupts(false)
end

-- 3. Collect.
local covers, message = collection.open(o.collection, { create = true })
if not covers then cli.fail(message) end
local summary, why, code = collect.run(covers, sources, { report = report, limit = o.limit,
  concurrency = o.concurrency, refresh = o.refresh, max_wait = o.max_wait, ask = ask,
  on_limit = o.on_limit, include_noindex = o.include_noindex })
report:done()

-- 4. Say what is there now.
local counts = covers:counts()
if counts and counts.people > 0 then
  for _, line in ipairs(report_lines.lines(covers)) do report:say(line) end
end
report:event({ event = "done", people = counts and counts.people,
  pictures = counts and counts.pictures, skipped = counts and counts.skipped,
  seconds = summary and summary.seconds, failures = json.array(summary and summary.failures) })
covers:close()
if code == "interrupted" then cli.interrupted("run the same command again to go on") end
if not summary then cli.fail(why) end
give_up_on(summary.failures)
system.hold_interrupts(false)
