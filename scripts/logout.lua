-- Logs out: the network is told to forget the tokens where it can be told, and daub forgets them.
--
--   daub logout bluesky:alice.bsky.social
local accounts = require "daub.accounts"
local cli = require "daub.cli"
local http = require "daub.http"
local login = require "daub.login"

local o = cli.parse(arg, {
  name = "logout",
  summary = "logs out of a network and forgets its tokens",
  usage = "NETWORK[:WHO]",
  positional = { { "network", help = "as daub login lists it; WHO where there are several" } },
})
local report = cli.reporter(o)

local network, who = accounts.split(o.network)
local account, message = accounts.get(network, who)
if not account then cli.fail(message) end
local module = login.network(network)
if module and module.logout then
  local ok, why = module.logout(account, { http = http.session() })
  if not ok then
    report:note(("%s: the server was not told (%s); revoke the access there"):format(network, why))
  end
end
local removed
removed, message = accounts.remove(network, account.name)
if not removed then cli.fail(message) end
report:say(("%s:%s is logged out"):format(network, account.name))
report:event({ event = "done", network = network, name = account.name })
