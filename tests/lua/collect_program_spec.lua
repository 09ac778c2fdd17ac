-- `daub collect` as a program: what it prints, how it ends, and that killing it costs nothing.
local json = require "daub.json"
local support = require "support.collecting"
local system = require "daub.core.system"

local daub = system.realpath("/proc/self/exe")

-- Starts daub with arguments.
local function start(...)
  return assert(system.spawn({ daub, ... }, { stdin = "null", stdout = "pipe", stderr = "pipe" }))
end

local function read_all(process, method)
  local parts = {}
  for part in function() return process[method](process) end do parts[#parts + 1] = part end
  return table.concat(parts)
end

-- Runs it to its end: exit code, standard output, standard error.
local function run(...)
  local process = start(...)
  local out, err = read_all(process, "read"), read_all(process, "read_error")
  local code = process:wait()
  process:close()
  return code, out, err
end

after_each(support.clean_up)
teardown(support.stop)

describe("daub collect", function()
  it("prints what it collected and why the rest is missing", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local code, out, err = run("collect", path, "--from", "bluesky:alice.test",
      "--api", network.url)
    assert.equal(0, code)
    assert.matches("/c: 101 pictures from 130 people\n", out)
    assert.matches("12  the same picture as another\n", out)
    assert.matches("14  no cover shown\n", out)
    assert.matches("130 people, 101 pictures, 3 left out, in", err)
  end)

  it("tells programs on standard output", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local code, out = run("collect", path, "--json", "--quiet", "--from", "bluesky:alice.test",
      "--api", network.url)
    assert.equal(0, code)
    local last, pictures = nil, 0
    for line in out:gmatch("[^\n]+") do
      last = assert(json.decode(line))
      if last.event == "picture" then pictures = pictures + 1 end
    end
    assert.equal(101, pictures)
    assert.equal("done", last.event)
    assert.equal(14, last.skipped["no-cover"])
  end)

  it("writes nothing in a dry run", function()
    local network = support.network("bluesky", { "--people", "130" })
    local path = support.folder() .. "/c"
    local code, out = run("collect", path, "--dry-run", "--from", "bluesky:alice.test",
      "--api", network.url)
    assert.equal(0, code)
    assert.matches("\nfetch +f0001.test  http://127", out)
    assert.matches("130 people, 104 pictures to fetch, nothing written\n$", out)
    assert.is_nil((system.stat(path)))
    support.collect(path, "bluesky:alice.test", { api = network.url, limit = 100 })
    code, out = run("collect", path, "--dry-run", "--from", "bluesky:alice.test",
      "--api", network.url)
    assert.equal(0, code)
    assert.matches("\nhave +f0001.test  http://127", out)
    assert.matches("130 people, 24 pictures to fetch, nothing written\n$", out)
  end)

  it("ends with 1 when a source failed, with 2 on wrong usage", function()
    local network = support.network("bluesky")
    local path = support.folder() .. "/c"
    local code, out, err = run("collect", path, "--from", "bluesky:nobody.test",
      "--api", network.url)
    assert.equal(1, code)
    assert.matches("daub: bluesky:nobody.test: no such account", err)
    assert.equal("", out)
    code, out, err = run("collect", path, "--from", "friendster:alice")
    assert.equal(2, code)
    assert.equal("", out)
    assert.matches("^daub: friendster:alice: unknown network", err)
    code = run("collect", path)
    assert.equal(2, code)
  end)

  it("takes several sources and goes on when one fails", function()
    local one, two = support.network("bluesky"), support.network("mastodon")
    local path = support.folder() .. "/c"
    local code, out, err = run("collect", path, "--from", "bluesky:alice.test", "--api", one.url,
      "--from", "bluesky:nobody.test", "--api", one.url,
      "--from", "mastodon:alice@one.test", "--api", two.url)
    assert.equal(1, code)
    assert.matches("102 pictures from 260 people", out) -- the networks share most
    assert.matches("daub: bluesky:nobody.test: no such account", err)
  end)

  it("saves its work on Ctrl-C and goes on afterwards", function()
    local network = support.network("bluesky")
    network:fault({ match = "getBlob", kind = "slow", times = 1000 })
    local path = support.folder() .. "/c"
    local arguments = { "collect", path, "--json", "--from", "bluesky:alice.test",
      "--api", network.url }
    local process = start(unpack(arguments))
    local seen = ""
    while not seen:find('"picture"', 1, true) do seen = seen .. assert(process:read(20)) end
    process:kill("int")
    assert.equal(130, process:wait(20))
    process:close()
    network = support.network("bluesky")
    assert.equal(0, (run(unpack(arguments))))
    local whole = support.folder() .. "/c"
    support.collect(whole, "bluesky:alice.test", { api = network.url })
    assert.equal(support.contents(whole), support.contents(path))
  end)

  it("loses nothing when it is killed ten times", function()
    local network = support.network("bluesky")
    network:set({ people = 400 })
    local whole, path = support.folder() .. "/c", support.folder() .. "/c"
    support.collect(whole, "bluesky:alice.test", { api = network.url })
    network:forget()
    local told, cut_short = {}, 0
    local arguments = { "collect", path, "--json", "--quiet", "--from", "bluesky:alice.test",
      "--api", network.url }
    for _ = 1, 10 do
      local process = start(unpack(arguments))
      local out, wanted = "", math.random(0, 12) -- pictures reported before the kill
      while select(2, out:gsub('"picture"', "")) < wanted do
        local piece = process:read(20)
        if not piece or piece == "" then break end
        out = out .. piece
      end
      process:wait(math.random() * 0.05)
      process:kill("kill")
      out = out .. read_all(process, "read")
      if process:wait() ~= 0 then cut_short = cut_short + 1 end
      process:close()
      for line in out:gmatch("([^\n]+)\n") do
        local event = assert(json.decode(line))
        if event.event == "picture" then
          assert.is_nil(told[event.sha256]) -- nothing is fetched twice that was reported
          told[event.sha256] = true
        end
      end
    end
    assert.is_true(cut_short >= 3)
    assert.equal(0, (run(unpack(arguments))))
    assert.equal(support.contents(whole), support.contents(path))
    assert.is_nil((system.stat(path .. "/incoming")))
  end)
end)
