-- Hangs a picture as your own cover: shows it, saves the old one, asks, sets it, reads it back.
--
--   daub publish paintings/x-001.jpg --to bluesky:alice.bsky.social
--   daub publish --undo --to bluesky            puts the old one back
local accounts = require "daub.accounts"
local cli = require "daub.cli"
local http = require "daub.http"
local image = require "daub.image"
local progress = require "daub.progress"
local publish = require "daub.publish"
local system = require "daub.core.system"
local ui_module = require "daub.login.ui"

local o = cli.parse(arg, {
  name = "publish",
  summary = "picture -> your own cover: cut to size, shown, asked, set, verified; can be undone",
  usage = "PICTURE --to NETWORK[:WHO]",
  positional = { { "picture", required = false, help = "the picture; none with --undo" } },
  options = {
    { "to", type = "string", value = "NETWORK[:WHO]", required = true,
      help = "where; WHO where several accounts are logged in" },
    { "undo", type = "flag", help = "puts back what was there before the last publishing" },
    { "yes", type = "flag", help = "does not ask" },
    { "dry-run", type = "flag", help = "shows what would be done and changes nothing" },
    { "api", type = "string", value = "URL", help = "another server than the network's own" },
  },
  notes_of = "daub.publish",
})
local report = cli.reporter(o)
local ui = ui_module.new(report)

local function must(value, message, code)
  if value ~= nil then return value end
  if code == "interrupted" then cli.interrupted() end
  return cli.exit(code == "usage" and 2 or 1, "publish: " .. message)
end

local function ask(question)
  if o.yes then return end
  if not system.isatty(0) then cli.exit(2, "publish: nobody to ask here (--yes goes ahead)") end
  if not ui:confirm(question) then cli.exit(1, "publish: not wanted, nothing was changed") end
end

local network, who = accounts.split(o.to)
local module = must(publish.network(network))
if not o.undo and not o.picture then cli.exit(2, "publish: PICTURE is missing") end

-- 1. The picture as the network wants it.
local ready
if o.picture then
  local pixels = must(image.load(o.picture))
  ready = must(publish.prepare(pixels, network))
  if system.isatty(1) and not o.quiet and not o.json then
    image.show(must(image.decode(ready.bytes)))
  end
  report:note(("%s: %dx%d, %s"):format(o.picture, ready.width, ready.height,
    progress.bytes(#ready.bytes)))
end

-- 2. Where programs may not: the file and the way.
if module.by_hand then
  if not ready then cli.exit(2, ("publish: %s: nothing to undo by program"):format(network)) end
  local path = ("%s-for-%s.jpg"):format(o.picture:gsub("%.%w+$", ""), network)
  if not o.dry_run then must(system.write_file(path, ready.bytes)) end
  for _, line in ipairs(module.by_hand.steps) do report:note(line) end
  report:note(module.by_hand.url)
  report:event({ event = "done", network = network, path = path, by_hand = true })
  return report:say(path)
end

-- 3. The account as it is.
local session = http.session()
local publisher = must(module.new({ who = who, api = o.api, http = session }))
if o.undo then
  local record = must(publish.last(publisher))
  if o.dry_run then return report:say("would put back: " .. (record.state.url or "no cover")) end
  ask(("Put the old cover of %s back?"):format(publisher.spec))
  must(publish.undo(publisher))
  report:event({ event = "done", network = network, undone = true })
  return report:say(publisher.spec .. ": the old cover is back")
end
local state = must(publisher:current())
if o.dry_run then
  return report:say(("would replace %s of %s"):format(state.url or "no cover", publisher.spec))
end

-- 4. Save, ask, set, verify.
ask(("Make this the cover of %s?"):format(publisher.spec))
local saved = must(publish.save(publisher, state, session))
must(publish.set(publisher, ready.bytes, state))
report:event({ event = "done", network = network, who = publisher.who, before = saved })
report:say(("%s: set and verified (daub publish --undo --to %s puts the old one back)"):format(
  publisher.spec, publisher.spec))
