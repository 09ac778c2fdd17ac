-- Fetches many addresses at once into a folder: `daub examples/fetch.lua FOLDER URL …`
local cli = require "daub.cli"
local http = require "daub.http"
local progress = require "daub.progress"
local system = require "daub.core.system"

local o = cli.parse(arg, {
  name = "examples/fetch.lua", summary = "fetches many addresses at once", usage = "FOLDER URL …",
  positional = {
    { "folder", help = "where the files go, named by their SHA-256" },
    { "urls", help = "what to fetch", many = true },
  },
  options = {
    { "per-host", type = "integer", value = "N", default = 4, min = 1,
      help = "transfers at once from one host" },
  },
})
local report = cli.reporter(o)
if not system.make_directory(o.folder) then
  cli.fail(o.folder .. ": cannot be made (choose another folder)")
end

local session = http.session {
  per_host = o.per_host,
  on_wait = function(host, left, reason)
    report:progress(("%s: %s, waiting %d seconds"):format(host, reason, left))
  end,
}

-- A request is an address, or a table that has one; the next is asked for when there is room.
local asked = 0
local function next_request()
  asked = asked + 1
  local url = o.urls[asked]
  return url and { url = url, file = ("%s/%d.new"):format(o.folder, asked) }
end

local bytes, fetched = 0, 0
local done, message = session:get_many(next_request, function(r)
  if r.error then
    report:note(r.error)
  else
    fetched, bytes = fetched + 1, bytes + r.bytes
    assert(system.rename(r.file, o.folder .. "/" .. r.sha256))
  end
  report:progress(("%d fetched, %s"):format(fetched, progress.bytes(bytes)))
  report:event { url = r.url, sha256 = r.sha256, bytes = r.bytes, error = r.error }
end)
report:done()
session:close()
if not done then cli.fail(message) end
report:say(("%d of %d fetched into %s"):format(fetched, done, o.folder))
