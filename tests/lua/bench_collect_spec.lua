-- daub bench collect: what it measures, with few pictures. No test asserts a time.
local Web = require "daub.bench.web"
local benchmark = require "daub.bench.collect"
local bench = require "daub.bench.session"
local system = require "daub.core.system"

describe("daub bench collect", function()
  it("measures transfers, the whole beside its parts, and memory", function()
    if not (system.stat(Web.nginx) and system.stat("/usr/bin/curl")) then
      return pending("nginx and curl are needed")
    end
    local rows, notes = {}, {}
    local report = { say = function() end, progress = function() end,
      note = function(_, line) notes[#notes + 1] = line end,
      event = function(_, event) rows[event.name] = event end }
    local session = bench.new(report, 1)
    notes = {}
    for _, entry in ipairs(benchmark.list { pictures = 12, people = { 5, 20 } }) do
      session:run(entry)
    end
    assert.same({}, notes)
    for _, name in ipairs { "transfer.curl", "transfer", "transfer.sha256", "part.transfer",
      "part.decode", "part.database", "whole" } do
      assert.is_true(rows["collect." .. name].images_per_second > 0, name)
    end
    assert.is_true(rows["collect.transfer"].of_curl > 0)
    assert.is_true(rows["collect.whole"].of_slowest > 0)
    for _, people in ipairs { 5, 20 } do
      assert.is_true(rows["collect.memory." .. people].peak_rss_bytes > 0)
    end
  end)

  it("removes what it made", function()
    local folder = assert(system.temporary_directory("daub-web"))
    assert(system.make_directory(folder .. "/a/b"))
    assert(system.write_file(folder .. "/a/b/c", "c"))
    Web.remove(folder)
    assert.is_nil((system.stat(folder)))
  end)
end)
