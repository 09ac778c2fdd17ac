-- Collecting that is killed again and again ends with exactly what an undisturbed one has, and
-- running it once more asks for nothing anew.
local support = require "support.collecting"
local system = require "daub.core.system"

local daub = system.realpath("/proc/self/exe")
local KILLS = 20

-- Starts collecting the followers of the made-up Bluesky.
local function start(network, path)
  return assert(system.spawn({ daub, "collect", path, "--quiet", "--from", "bluesky:alice.test",
    "--api", network.url }, { stdin = "null", stdout = "null", stderr = "null" }))
end

-- Collects to the end: seconds it took.
local function collect(network, path)
  local began, process = system.now(), start(network, path)
  local code = process:wait(3600)
  process:close()
  assert.equal(0, code)
  return system.now() - began
end

-- Kills a collection KILLS times, so that all the time between is about as long as an undisturbed
-- one takes.
local function collect_killed(network, path, seconds)
  for _ = 1, KILLS do
    local process = start(network, path)
    system.sleep(0.05 + 2 * math.random() * seconds / KILLS)
    process:kill("kill")
    process:wait(10)
    process:close()
  end
  collect(network, path)
end

-- All requests since the fixture was last reset.
local function requests(network)
  local n = 0
  for _, count in pairs(network:counts()) do n = n + count end
  return n
end

local function withstands(people)
  math.randomseed(people)
  local network = support.network("bluesky", { "--people", tostring(people) })
  local whole, killed = support.folder() .. "/whole", support.folder() .. "/killed"
  local seconds = collect(network, whole)
  local asked = requests(network)
  collect_killed(network, killed, seconds)
  local expected = support.contents(whole)
  assert.is_true(expected == support.contents(killed), "the killed collection differs")
  assert.same({}, system.list_directory(killed .. "/incoming") or {})

  network = support.network("bluesky", { "--people", tostring(people) }) -- its counts begin anew
  collect(network, killed)
  assert.is_true(requests(network) > 0 and requests(network) < asked)
  assert.equal(requests(network), network:unchanged())
  assert.equal(0, network:asked("/img/"))
  assert.is_true(expected == support.contents(killed), "running it again changed something")
end

describe("daub collect under SIGKILL", function()
  teardown(support.stop)
  after_each(support.clean_up)

  it("ends as if undisturbed, and asks for nothing anew", function() withstands(300) end)

  it("does so with 20,000 people #slow", function() withstands(20000) end)
end)
