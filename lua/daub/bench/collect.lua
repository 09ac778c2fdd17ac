-- Collecting, from a web server on this machine: the transfers beside curl's, the whole beside its
-- parts, and memory beside the number of people.
local Web = require "daub.bench.web"
local alone = require "daub.bench.alone"
local collection = require "daub.collect.collection"
local http = require "daub.http"
local image = require "daub.core.image"
local intake_module = require "daub.collect.intake"
local json = require "daub.json"
local measure = require "daub.bench.measure"
local progress = require "daub.progress"
local run = require "daub.collect.run"
local settle = require "daub.collect.settle"
local sources = require "daub.collect.sources"
local system = require "daub.core.system"

local M = {}

-- 60 KB each, of which some look different; and small ones, which all do
local PICTURES, COVER = 5000, { width = 1500, height = 500, patches = 10, painted = 500 }
local PEOPLE, SMALL = { 1000, 20000 }, { width = 300, height = 100, patches = 4, painted = 20000 }
local AT_ONCE, ROUNDS = 16, 5
local CURL = "/usr/bin/curl"

-- ---- timing ------------------------------------------------------------------------------------

-- Seconds of processor time of this process and of those it has waited for.
local function processor()
  local file = assert(io.open("/proc/self/stat"))
  local text = file:read("*a")
  file:close()
  local fields, after = {}, text:match("^.*%)(.*)$") -- the third field on
  for field in after:gmatch("%S+") do fields[#fields + 1] = field end
  return system.cpu_time() + (tonumber(fields[14]) + tonumber(fields[15])) / 100
end

-- Adds f's time and processor time to a list of samples.
local function time(samples, f)
  collectgarbage()
  local start, used = system.now(), processor()
  f()
  samples[#samples + 1] = system.now() - start
  samples.cpu = math.min(samples.cpu or math.huge, processor() - used)
end

-- Median of a_i / b_i: what is done by turns is compared turn by turn.
local function ratio(a, b)
  local ratios = {}
  for i = 1, #a do ratios[i] = a[i] / b[i] end
  table.sort(ratios)
  return ratios[math.ceil(#ratios / 2)]
end

local function times(samples)
  local copy = { unpack(samples) }
  local t = measure.times(copy)
  t.cpu = samples.cpu
  return t
end

-- ---- transfers ---------------------------------------------------------------------------------

local function by_curl(web, count)
  local lines, out = {}, web:folder("curl")
  for i = 1, count do
    lines[i] = ('url = "%s/%d.jpg"\noutput = "%s/%d"\n'):format(web.url, i, out, i)
  end
  assert(system.write_file(web.root .. "/curl.conf", lines))
  return function()
    local process = assert(system.spawn({ CURL, "-s", "-Z", "--parallel-max", tostring(AT_ONCE),
      "-K", web.root .. "/curl.conf" }, { stdin = "null", stdout = "/dev/null",
      stderr = "/dev/null" }))
    assert(process:wait() == 0, "curl failed")
    process:close()
  end
end

local function by_daub(web, count, hashed)
  local out = web:folder("daub")
  return function()
    local session, i = http.session { per_host = AT_ONCE, total = AT_ONCE }, 0
    assert(session:get_many(function()
      i = i + 1
      return i <= count and { url = ("%s/%d.jpg"):format(web.url, i), unhashed = not hashed,
        file = ("%s/%d"):format(out, i) } or nil
    end, function(r) assert(r.status == 200, r.error) end))
    session:close()
  end
end

local function transfers(session, web, count)
  local curl, plain, hashed = {}, {}, {}
  for _ = 1, session.repeats or ROUNDS do
    time(curl, by_curl(web, count))
    time(plain, by_daub(web, count, false))
    time(hashed, by_daub(web, count, true))
  end
  session:row { name = "collect.transfer.curl", times = times(curl), pictures = count }
  for _, way in ipairs { { "collect.transfer", plain }, { "collect.transfer.sha256", hashed } } do
    local samples = way[2]
    local wall, cpu = ratio(samples, curl), samples.cpu / curl.cpu
    session:row { name = way[1], times = times(samples), pictures = count,
      words = ("  %.2f of curl's time (median of turns), %.2f of its processor time"):format(
        wall, cpu), more = { of_curl = wall, of_curl_cpu = cpu } }
  end
end

-- ---- the whole and its parts -------------------------------------------------------------------

local silent = { progress = function() end, note = function() end, event = function() end }

local function address_list(web, count)
  local lines = {}
  for i = 1, count do lines[i] = ("%s/%d.jpg\n"):format(web.url, i) end
  local path = web.root .. "/addresses"
  assert(system.write_file(path, lines))
  return path
end

local function collect(path, list)
  local covers = assert(collection.open(path, { create = true }))
  assert(run.run(covers, { assert(sources.parse("urls:" .. list)) },
    { report = silent, concurrency = AT_ONCE }))
  covers:close()
end

local function whole(web, list)
  local path = web:folder("whole")
  return function() collect(path, list) end
end

-- Decoding, and looking at what was decoded, in as many children as collecting has.
local function decoding(web, count)
  return function()
    local workers = math.max(1, math.min(system.threads(), 8))
    local decoder, sent, done = image.decoder { workers = workers, looks = true }, 0, 0
    while done < count do
      while sent < count and decoder:pending() < 2 * workers + 2 do
        sent = sent + 1
        decoder:submit(sent, { path = ("%s/%d.jpg"):format(web.pictures, sent) })
      end
      for _, result in ipairs(assert(decoder:poll(1))) do
        assert(result.phash, result.error)
        done = done + 1
      end
    end
    decoder:close()
  end
end

-- What the database is told of as many people with a picture each, and their comparing.
local function database(web, count)
  local path = web:folder("database")
  return function()
    local covers = assert(collection.open(path, { create = true }))
    local intake = intake_module.new(covers)
    local id = intake:source("urls:bench", "")
    for first = 1, count, 100 do
      local people = {}
      for i = first, math.min(count, first + 99) do
        local url = ("%s/%d.jpg"):format(web.url, i)
        people[#people + 1] = { key = url, handle = url, url = url,
          cover = { key = url, url = url } }
      end
      intake:commit_page(id, "lines", "urls", { people = people })
      for _, cover in ipairs(intake:waiting(first - 1, 100)) do
        local sha256 = system.sha256(cover.key)
        intake:keep(cover.id, { sha256 = sha256, format = "jpeg", width = COVER.width,
          height = COVER.height, bytes = 60000, phash = sha256:sub(1, 16) })
      end
    end
    settle.new(covers):advance()
    covers:close()
  end
end

local function overlap(session, web, count)
  local list = address_list(web, count)
  local parts = {
    { name = "transfer", samples = {}, make = function() return by_daub(web, count, true) end },
    { name = "decode", samples = {}, make = function() return decoding(web, count) end },
    { name = "database", samples = {}, make = function() return database(web, count) end },
  }
  local all = {}
  for _ = 1, session.repeats or 2 do
    for _, part in ipairs(parts) do time(part.samples, part.make()) end
    time(all, whole(web, list))
  end
  local slowest = parts[1]
  for _, part in ipairs(parts) do
    session:row { name = "collect.part." .. part.name, times = times(part.samples),
      pictures = count }
    if times(part.samples).best > times(slowest.samples).best then slowest = part end
  end
  local wall, cpu = ratio(all, slowest.samples), all.cpu / slowest.samples.cpu
  session:row { name = "collect.whole", times = times(all), pictures = count,
    words = ("  %.2f of its slowest part (%s), %.2f of that part's processor time"):format(wall,
      slowest.name, cpu), more = { of_slowest = wall, of_slowest_cpu = cpu } }
end

-- ---- memory ------------------------------------------------------------------------------------

---Collects what a list of addresses names and prints what memory that took: to be called in a
---process that does nothing else.
---@param path string of the collection
---@param list string of the addresses
function M.alone(path, list)
  collect(path, list)
  print(json.encode { peak_rss_bytes = system.memory().peak_rss })
end

local function memory(session, web, people)
  local least
  for _, count in ipairs(people) do
    local peak = alone(("require('daub.bench.collect').alone(%q, %q)"):format(
      web:folder("memory"), address_list(web, count))).peak_rss_bytes
    least = least or peak
    session.report:say(("%-38s %11s at most, %.2f of that with %d"):format(
      ("collect.memory.%d"):format(count), progress.bytes(peak), peak / least, people[1]))
    session:event { name = ("collect.memory.%d"):format(count), people = count,
      peak_rss_bytes = peak }
  end
end

-- ---- all ---------------------------------------------------------------------------------------

local function with_web(count, o, f)
  return function(session)
    local web, message = Web.new(count, o)
    if not web then return session.report:note("collect: " .. message) end
    local ok, why = pcall(f, session, web)
    web:close()
    if not ok then error(why, 0) end
  end
end

---@param o? {pictures: integer?, people: integer[]?}  5,000; 1,000 and 20,000
---@return daub.bench.Entry[]
function M.list(o)
  local count, people = o and o.pictures or PICTURES, o and o.people or PEOPLE
  return {
    { name = "collect.transfer", measure = with_web(count, COVER, function(session, web)
      if not system.stat(CURL) then return session.report:note("collect: curl is not installed") end
      transfers(session, web, count)
    end) },
    { name = "collect.whole", measure = with_web(count, COVER, function(session, web)
      overlap(session, web, count)
    end) },
    { name = "collect.memory", measure = with_web(people[#people], SMALL, function(session, web)
      memory(session, web, people)
    end) },
  }
end

return M
