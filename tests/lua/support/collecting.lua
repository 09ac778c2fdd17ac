--- What the tests of collecting share: folders that vanish, made-up networks, collecting here and
--- now.
local array = require "daub.core.array"
local collect = require "daub.collect.run"
local collection = require "daub.collect.collection"
local http = require "daub.http"
local image = require "daub.core.image"
local json = require "daub.json"
local server = require "support.server"
local sources = require "daub.collect.sources"
local system = require "daub.core.system"

local M = {}

local folders, networks = {}, {}

--- A new folder, removed by M.clean_up.
function M.folder()
  local path = assert(system.temporary_directory("daub-test"))
  folders[#folders + 1] = path
  return path
end

local function remove_all(path)
  local stat = system.stat(path)
  if not stat then return end
  if stat.type == "directory" then
    for _, name in ipairs(system.list_directory(path)) do remove_all(path .. "/" .. name) end
  end
  system.remove(path)
end

--- Removes every folder. Call it after each test.
function M.clean_up()
  for _, path in ipairs(folders) do remove_all(path) end
  folders = {}
end

--- Stops every network. Call it after all tests.
function M.stop()
  for _, network in pairs(networks) do network.server:stop() end
  networks = {}
end

local Network = {}
Network.__index = Network

--- tests/fixtures/NAME_server.py, started once for all tests, as if new.
function M.network(name, arguments)
  local key = name .. " " .. table.concat(arguments or {}, " ")
  local self = networks[key]
  if not self then
    self = setmetatable({ server = server.start(name .. "_server.py", arguments) }, Network)
    self.url = self.server.url
    networks[key] = self
  end
  self.forgotten = 0
  assert(http.get(self.url .. "/_reset", { method = "POST", body = "" }))
  return self
end

--- {match =, kind =, times =, after =, seconds =}: see tests/fixtures/network.py.
function Network:fault(fault)
  assert(http.get(self.url .. "/_fault", { method = "POST", json = fault }))
end

--- From now on nothing fails.
function Network:heal()
  assert(http.get(self.url .. "/_heal", { method = "POST", body = "" }))
end

--- Changes the made-up world.
function Network:set(world)
  assert(http.get(self.url .. "/_set", { method = "POST", json = world }))
end

--- How often paths that match were asked for, since the start or the last `forget`.
function Network:asked(pattern)
  local n, log = 0, assert(http.get(self.url .. "/_log")).json()
  for i = self.forgotten + 1, #log do
    if log[i]:find(pattern) then n = n + 1 end
  end
  return n
end

--- How often each endpoint was asked for since the start: {["GET /xrpc/{method}"] = 3}.
function Network:counts()
  return assert(http.get(self.url .. "/_counts")).json().endpoints
end

--- Answers since the start that said "not modified".
function Network:unchanged()
  return assert(http.get(self.url .. "/_counts")).json().unchanged or 0
end

--- The most requests that were under way at once.
function Network:most_at_once()
  return assert(http.get(self.url .. "/_counts")).json().at_once or 0
end

function Network:forget()
  self.forgotten = #assert(http.get(self.url .. "/_log")).json()
end

--- A reporter that keeps events and notes.
function M.reporter()
  local kept = { events = {}, notes = {}, lines = {} }
  function kept:progress(line) self.lines[#self.lines + 1] = line end
  function kept:note(line) self.notes[#self.notes + 1] = line end
  function kept:event(event) self.events[#self.events + 1] = event end
  return kept
end

--- Collects and closes: summary, counts, reporter. o: api, who and collect.run's options.
function M.collect(path, spec, o)
  o = o or {}
  local source = assert(sources.parse(spec, { who = o.who, api = o.api,
    exclude = system.realpath(path) }))
  local covers = assert(collection.open(path, { create = true }))
  local report = M.reporter()
  local summary, message, code = collect.run(covers, { source }, { report = report,
    limit = o.limit, refresh = o.refresh, concurrency = o.concurrency, max_wait = o.max_wait,
    on_limit = o.on_limit, include_noindex = o.include_noindex, ask = o.ask })
  local counts = assert(covers:counts())
  covers:close()
  assert(summary, ("%s (%s)"):format(message, code))
  return summary, counts, report
end

--- What a collection holds, apart from times and the order of arrival: equal strings, equal
--- outcomes.
function M.contents(path)
  local covers = assert(collection.open(path))
  local people, files = {}, {}
  for row in covers.store:rows([[select o.network, o.key, o.handle, c.key as cover, c.state,
    c.reason, p.sha256, q.sha256 as same_as, p.settled
    from people o left join covers c on c.id = o.cover_id
    left join pictures p on p.id = c.picture_id
    left join pictures q on q.id = p.same_as
    order by o.id]]) do
    people[#people + 1] = row
  end
  for _, folder in ipairs(system.list_directory(path .. "/pictures")) do
    for _, name in ipairs(system.list_directory(path .. "/pictures/" .. folder)) do
      files[#files + 1] = name
    end
  end
  covers:close()
  return json.pretty({ people = people, files = files })
end

--- Pixels of 12 x 4 patches, different for each seed; 300x100 unless told.
function M.patches(seed, width, height)
  local small = array.integers(array.generator(seed), 0, 256, { 4, 12, 3 }, "u8")
  return image.resize(small, width or 300, height or 100, { filter = "box" })
end

--- Writes a file with its folders.
function M.write(path, bytes)
  assert(system.make_directory(path:match("^(.*)/")))
  assert(system.write_file(path, bytes))
end

return M
