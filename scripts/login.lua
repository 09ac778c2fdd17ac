-- Logs in to a network, so that daub may read what it shows to members only, or hang a cover there.
--
--   daub login bluesky:alice.bsky.social
--   daub login                                  lists who is logged in
--
-- Tokens go to ~/.config/daub/accounts.json, which only you can read. Passwords are never kept.
local accounts = require "daub.accounts"
local cli = require "daub.cli"
local http = require "daub.http"
local login = require "daub.login"
local ui_module = require "daub.login.ui"

local o = cli.parse(arg, {
  name = "login",
  summary = "logs in to a network; tokens are kept where only you can read them",
  usage = "[NETWORK[:WHO]]",
  positional = { { "network", required = false,
    help = "one of those below, perhaps with the account; without it: lists who is logged in" } },
  options = {
    { "api", type = "string", value = "URL", help = "another server than the network's own" },
  },
  notes = "Answers are asked for one by one and can be piped in, one a line; none is an argument.",
  notes_of = "daub.login",
})
local report = cli.reporter(o)

if not o.network then
  local list, message = accounts.list()
  if not list then cli.fail(message) end
  for _, account in ipairs(list) do
    report:say(account.network .. ":" .. account.name)
    report:event({ event = "account", network = account.network, name = account.name })
  end
  if not list[1] then report:note("nobody is logged in (daub login NETWORK)") end
  return
end

-- 1. What the network wants.
local network, who = accounts.split(o.network)
local module, message, code = login.network(network)
if not module then cli.exit(code == "usage" and 2 or 1, "login: " .. message) end
local ui = ui_module.new(report)
for _, line in ipairs(module.help or {}) do ui:say(line) end

-- 2. Walk the owner through; keep what comes of it.
local name, fields, why = module.login(ui, { who = who, api = o.api, http = http.session({
  on_wait = function(host, seconds, reason)
    report:progress(("%s: %s, %d s left"):format(host, reason, seconds))
  end }) })
report:done()
if not name then
  if why == "interrupted" then cli.interrupted() end
  cli.exit(why == "usage" and 2 or 1, ("login: %s: %s"):format(network, fields))
end
local saved
saved, message = accounts.save(network, name, fields)
if not saved then cli.fail(message) end
report:say(("%s:%s is logged in (daub logout %s:%s ends it)"):format(network, name, network, name))
report:event({ event = "done", network = network, name = name })
