-- Transfers against a server with faults on demand (tests/fixtures/http_server.py).
local http = require "daub.http"
local server = require "support.server"
local system = require "daub.core.system"

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
local root, s, session

local function url(path, ...) return s.url .. path:format(...) end
local function stats() return http.get(url("/stats")).json() end
local function path(name) return root .. "/" .. name end
local function read(name) return system.read_file(path(name)) end

-- What is in the folder, to see that nothing half done is left.
local function names() return table.concat(system.list_directory(root), " ") end

local function quick(o)
  local all = { backoff = 0.01, max_backoff = 0.05, timeout = 5 }
  for name, value in pairs(o or {}) do all[name] = value end
  return http.session(all)
end

-- Runs a script in a second host with something changed in its environment; gives its output.
local function elsewhere(environment, code)
  local argv = { "/usr/bin/env" }
  for _, setting in ipairs(environment) do argv[#argv + 1] = setting end
  local script = path("elsewhere.lua")
  assert(system.write_file(script, code))
  for _, word in ipairs { system.realpath("/proc/self/exe"), script, s.url } do
    argv[#argv + 1] = word
  end
  local process = assert(system.spawn(argv, { stdin = "null", stdout = "pipe" }))
  local text = ""
  repeat
    local bytes = process:read(20)
    text = text .. (bytes or "")
  until not bytes
  process:close()
  system.remove(script)
  return text
end

setup(function()
  root = assert(system.temporary_directory("daub-http-"))
  s = server.start("http_server.py")
end)

teardown(function()
  s:stop()
  system.remove(root)
end)

before_each(function()
  http.get(url("/stats?reset=1"))
  session = quick()
end)

after_each(function() session:close() end)

describe("a request", function()
  it("says who asks and what it takes", function()
    local r = session:get(url("/echo?a=b"))
    local seen = r.json()
    assert.equal(200, r.status)
    assert.equal("GET", seen.method)
    assert.equal("b", seen.query.a)
    assert.equal("gzip, deflate", seen.headers["accept-encoding"])
    assert.truthy(seen.headers["user-agent"]:find("^daub/%d"))
    assert.equal("1.1", r.http_version)
    assert.equal("loopback", r.zone)
    assert.equal(1, r.attempts)
  end)

  it("carries headers, a body, JSON or a form", function()
    local r = session:request { url = url("/echo"), method = "PUT", body = "x\0y",
      headers = { ["X-One"] = "1", ["X-None"] = "", ["Content-Type"] = "image/jpeg" } }
    local seen = r.json()
    assert.equal("PUT", seen.method)
    assert.equal("x\0y", seen.body)
    assert.equal("1", seen.headers["x-one"])
    assert.equal("", seen.headers["x-none"])
    assert.equal("image/jpeg", seen.headers["content-type"])
    seen = session:request({ url = url("/echo"), json = { a = 1 } }).json()
    assert.equal("POST", seen.method)
    assert.equal('{"a":1}', seen.body)
    assert.equal("application/json", seen.headers["content-type"])
    seen = session:request({ url = url("/form"), form = {
      { name = "header", data = ("j"):rep(70000), filename = "c.jpg", type = "image/jpeg" },
      { name = "note", data = "n" } } }).json()
    assert.same({ bytes = 70000, filename = "c.jpg", type = "image/jpeg" }, seen.header)
    assert.equal(1, seen.note.bytes)
    seen = session:request({ url = url("/echo"), method = "DELETE" }).json()
    assert.equal("DELETE", seen.method)
    assert.equal("", session:request({ url = url("/bytes/9"), method = "HEAD" }).body)
  end)

  it("is refused when it is none", function()
    local wrong = {
      { { url = url("/"), heders = {} }, "unknown option heders %(did you mean headers%?%)" },
      { { url = url("/"), headers = { ["X-A"] = "1\r\nX-B: 2" } }, "control character" },
      { { url = url("/"), headers = { ["X-A\r\nX-B"] = "1" } }, "is no header name" },
      { { url = url("/"), headers = { ["X A"] = "1" } }, "is no header name" },
      { { url = url("/"), headers = { Host = "else.where" } }, "set by the transfer itself" },
      { { url = url("/"), method = "TRACE" }, "none of GET" },
      { { url = url("/"), method = "GET\r\nX: y" }, "none of GET" },
      { { url = url("/"), method = "GET", body = "b" }, "carries no body" },
      { { url = url("/"), body = "b", json = {} }, "one of json, body and form" },
      { { url = url("/"), redirects = "some" }, "redirects is" },
      { { url = url("/"), timeout = -1 }, "timeout is a number" },
      { { url = url("/"), form = { { name = "a\r\nb", data = "" } } }, "control character" },
      { {}, "a URL or a table with url" },
    }
    for _, case in ipairs(wrong) do
      local ok, message = pcall(session.add, session, case[1])
      assert.is_false(ok)
      assert.truthy(tostring(message):find(case[2]), message)
    end
    assert.has_error(function() http.session { perhost = 1 } end)
    assert.equal(0, session:pending())
  end)

  it("fails for addresses that cannot be fetched", function()
    for text, reason in pairs {
      ["ftp://example.org/a"] = "only http and https",
      ["file:///etc/passwd"] = "only http and https",
      ["no address"] = "not of the form",
      [""] = "not of the form",
      ["http://"] = "not of the form",
      ["http://user:pw9@example.org/"] = "do not belong",
      ["http://example.org/\r\nX: y"] = "control character",
      ["http://example.org:99999/"] = "not of the form",
    } do
      local r, message, code = session:get(text)
      assert.is_nil(r)
      assert.equal("url", code)
      assert.truthy(message:find(reason, 1, true), message)
      assert.is_nil(message:find("pw9", 1, true))
    end
  end)
end)

describe("an answer", function()
  it("is unpacked", function()
    for _, kind in ipairs { "gzip", "deflate" } do
      local r = session:get(url("/packed?as=%s", kind))
      assert.equal(("all the covers "):rep(1000), r.body)
      assert.equal(15000, r.bytes)
      assert.equal(system.sha256(r.body), r.sha256)
    end
    assert.equal("decode", select(3, session:get(url("/packed?as=gzip&broken=1"))))
    assert.equal(10000, session:get(url("/chunked")).bytes)
    assert.equal("", session:get(url("/bytes/0")).body)
  end)

  it("stops at the size cap, whatever it claims", function()
    for _, p in ipairs { "/bytes/100001", "/bomb", "/endless" } do
      local r, message, code = session:get(url(p), { max_bytes = 100000, file = path("big") })
      assert.is_nil(r)
      assert.equal("too-large", code)
      assert.truthy(message:find("more than 100000 bytes", 1, true), message)
    end
    assert.equal(100000, session:get(url("/bytes/100000"), { max_bytes = 100000 }).bytes)
    assert.equal("too-large", select(3, session:get(url("/heads?n=3000"))))
    assert.equal("", names())
  end)

  it("must be whole", function()
    for _, p in ipairs { "/cut", "/cut?send=0", "/chunked?cut=1" } do
      local r, message, code = session:get(url(p), { retries = 0, file = path("part") })
      assert.is_nil(r)
      assert.equal("cut", code, message)
    end
    assert.equal("", names())
  end)

  it("must come in time", function()
    local function code(p, o)
      o.retries = 0
      return (select(3, session:get(url(p), o)))
    end
    assert.equal("timeout", code("/stall", { timeout = 0.2, file = path("late") }))
    assert.equal("timeout", code("/stall?head=1", { timeout = 0.2 }))
    assert.equal("timeout", code("/slow?n=50", { total_timeout = 0.4 }))
    assert.equal(5, session:get(url("/slow?n=5"), { timeout = 0.3 }).bytes)
    assert.equal("", names())
  end)

  it("as a file takes its name when whole", function()
    local r = session:get(url("/bytes/50000"), { file = path("whole"), sync = true })
    assert.equal(path("whole"), r.file)
    assert.is_nil(r.body)
    assert.equal(("d"):rep(50000), read("whole"))
    assert.equal(system.sha256(("d"):rep(50000)), r.sha256)
    assert.is_nil(session:get(url("/bytes/9"), { unhashed = true }).sha256)
    -- A refusal's page is no picture, and what was there stays.
    local _, message, code, refusal = session:get(url("/status/404"), { file = path("whole") })
    assert.truthy(message:find("404 Not Found", 1, true))
    assert.equal("http", code)
    assert.equal("no", refusal.body)
    assert.is_nil(session:get(url("/cut"), { file = path("whole"), retries = 0 }))
    assert.equal(50000, #read("whole"))
    assert.equal("whole", names())
    assert.equal("io", select(3, session:get(url("/bytes/9"), { file = path("none/there") })))
    system.remove(path("whole"))
  end)

  it("can be asked for only when it has changed", function()
    local r = session:get(url("/tagged"))
    assert.equal('"v1"', r.etag)
    assert.is_false(r.not_modified)
    local again = session:get(url("/tagged"), { etag = r.etag, file = path("tagged") })
    assert.equal(304, again.status)
    assert.is_true(again.not_modified)
    assert.is_true(session:get(url("/tagged"), { last_modified = r.last_modified }).not_modified)
    assert.equal("tagged", session:get(url("/tagged"), { etag = '"v0"' }).body)
    assert.equal("", names())
  end)

  it("that should be JSON and is a page says so", function()
    assert.same({ 1, 2 }, session:get(url("/json")).json().a)
    local value, message, code = session:get(url("/html")).json()
    assert.is_nil(value)
    assert.equal("decode", code)
    assert.truthy(message:find('an HTML page, "Just a moment…" came where JSON', 1, true), message)
    assert.truthy(select(2, session:get(url("/json?text={")).json()):find("JSON was expected"))
    message = select(2, session:get(url("/html?status=403")))
    assert.truthy(message:find('403 Forbidden (an HTML page, "Just a moment…")', 1, true), message)
    for _, start in ipairs { "<html><title>", "{", "[", "Bearer ", "token" } do -- and takes no time
      local hostile = url("/json?status=404&repeat=99999&text=%s", http.escape(start))
      assert.is_true(#select(2, session:get(hostile)) < 300)
    end
    message = select(2, session:get(url("/limit?status=400")))
    assert.truthy(message:find("400 Bad Request (rate limit reached)", 1, true), message)
  end)

  it("never puts secrets into messages", function()
    local secret = "?access_token=SECRET"
    for _, target in ipairs { url("/status/404" .. secret), url("/stall" .. secret),
      url("/redirect%s&to=ftp://x/%%3Faccess_token=SECRET", secret),
      "http://nope.invalid/" .. secret,
      "http://127.0.0.1:1/" .. secret, "ftp://x/" .. secret } do
      local _, message = session:get(target, { retries = 0, timeout = 0.2,
        headers = { Authorization = "Bearer SECRET" } })
      assert.is_string(message)
      assert.is_nil(message:find("SECRET", 1, true), message)
    end
  end)
end)

describe("a redirect", function()
  local other

  setup(function() other = server.start("http_server.py") end)
  teardown(function() other:stop() end)

  local function to(target, more)
    return url("/redirect?to=%s%s", http.escape(target), more or "")
  end

  it("is followed, and changes the method as it should", function()
    local r = session:get(to("/echo?x=1"))
    assert.equal(url("/echo?x=1"), r.url)
    local function method(status, m)
      return session:request({ url = to("/echo", "&status=" .. status), method = m,
        body = m ~= "GET" and "b" or nil }).json()
    end
    assert.equal("GET", method(302, "POST").method)
    assert.equal("GET", method(303, "PUT").method)
    assert.equal("", method(303, "PUT").body)
    assert.equal("POST", method(307, "POST").method)
    assert.equal("b", method(308, "POST").body)
  end)

  it("to another host takes no secrets along", function()
    local headers = { Authorization = "Bearer x", ["X-Api-Key"] = "y", Cookie = "z", Accept = "a" }
    local seen = session:get(to(other.url .. "/echo"), { headers = headers }).json().headers
    assert.is_nil(seen.authorization)
    assert.is_nil(seen["x-api-key"])
    assert.is_nil(seen.cookie)
    assert.equal("a", seen.accept)
    seen = session:get(to("/echo"), { headers = headers }).json().headers
    assert.equal("Bearer x", seen.authorization)
    -- Nor when it leads back.
    local back = other.url .. "/redirect?to=" .. http.escape(url("/echo"))
    seen = session:get(to(back), { headers = headers }).json().headers
    assert.is_nil(seen.authorization)
  end)

  it("is refused where it must not lead", function()
    local function refused(target, o)
      o = o or {}
      o.url = target
      local r, message, code = session:request(o)
      assert.is_nil(r)
      assert.equal("redirect", code, message)
      return message
    end
    assert.truthy(refused(to("file:///etc/passwd")):find("only http and https"))
    assert.truthy(refused(to("gopher://127.0.0.1/")):find("only http and https"))
    assert.truthy(refused(to("http://u:p@127.0.0.1/")):find("do not belong"))
    local there = other.url .. "/echo"
    assert.truthy(refused(to(there), { redirects = "same-host" }):find("another host"))
    assert.truthy(refused(to(there, "&status=307"), { body = "b" }):find("another host"))
    assert.truthy(refused(url("/loop")):find("more than 5 redirects"))
    assert.equal(302, session:get(to("/echo"), { redirects = "none" }).status)
    assert.equal(200, session:get(to("/echo"), { redirects = "same-host" }).status)
  end)

  it("never leads from outside to this machine", function()
    local r, _, code = session:get(url("/echo"), { public_only = true })
    assert.is_nil(r)
    assert.equal("address", code)
    -- Not even over a connection that is open already, and not by name.
    session:get(url("/echo"))
    assert.equal("address", select(3, session:get(url("/echo"), { public_only = true })))
    local by_name = ("http://localhost:%d/echo"):format(s.port)
    assert.equal("address", select(3, session:get(by_name, { public_only = true })))
    -- The fixture as a proxy plays a public host that redirects inward.
    local output = elsewhere({ "http_proxy=" .. s.url, "no_proxy=" }, [[
      local http = require "daub.http"
      print((http.get("http://covers.example/echo")).status)
      for _, target in ipairs { "http://127.0.0.1:1/", "http://[::1]:1/", "http://10.0.0.1/",
        "http://2130706433/", "http://localhost:1/", "http://other.example/echo" } do
        local r, m, code = http.get("http://covers.example/redirect?to=" .. http.escape(target))
        print(r and r.status or code)
      end]])
    assert.equal("200\naddress\naddress\naddress\naddress\naddress\n200\n", output)
  end)
end)

describe("trying again", function()
  it("mends what passes", function()
    assert.equal(3, session:get(url("/status/503?times=2")).attempts)
    assert.equal(2, session:get(url("/status/408?times=1")).attempts)
    local r = session:get(url("/cut?times=2"), { file = path("mended") })
    assert.equal(3, r.attempts)
    assert.equal(1000, #read("mended"))
    system.remove(path("mended"))
  end)

  it("ends, and leaves alone what stays", function()
    local _, message, code, refusal = session:get(url("/status/500"), { retries = 2 })
    assert.equal("http", code)
    assert.equal(3, refusal.attempts)
    assert.truthy(message:find("500 Internal Server Error", 1, true))
    for _, status in ipairs { 400, 401, 403, 404, 410, 501 } do
      assert.equal(1, (select(4, session:get(url("/status/%d", status)))).attempts)
    end
    _, _, code, refusal = session:get("http://127.0.0.1:1/")
    assert.equal("connect", code)
    assert.equal(5, refusal.attempts)
    assert.equal(2, select(4, session:get("http://nope.invalid/")).attempts)
    -- What was perhaps done is not done twice.
    _, _, _, refusal = session:request { url = url("/status/500"), method = "POST" }
    assert.equal(1, refusal.attempts)
  end)

  it("gives up on a host that cannot be reached", function()
    local attempts, given_up = 0, nil
    local list = {}
    for i = 1, 30 do list[i] = "http://127.0.0.1:1/" .. i end
    assert.equal(30, session:get_many(list, function(r)
      attempts = attempts + r.attempts
      assert.equal("connect", r.code)
      given_up = given_up or r.error:match("127.0.0.1:1 cannot be reached")
    end))
    assert.is_string(given_up)
    assert.is_true(attempts < 100, attempts)
    assert.truthy(select(2, session:get("http://127.0.0.1:1/x")):find("cannot be reached"))
    assert.equal(200, session:get(url("/echo")).status)
  end)
end)

describe("a rate limit", function()
  local told

  local function patient(o)
    told = {}
    o = o or {}
    o.on_wait = function(host, left, reason) told[#told + 1] = { host, left, reason } end
    return quick(o)
  end

  it("is waited for, with a countdown", function()
    session = patient()
    local forms = { "header=Retry-After&form=delta", "header=X-RateLimit-Reset&form=iso&in=1" }
    for i, form in ipairs(forms) do
      told = {}
      local began = system.now()
      local r = session:get(url("/limit?key=%d&%s", i, form))
      assert.is_true(r.json().fine)
      assert.equal(2, r.attempts)
      assert.is_true(system.now() - began >= 0.99)
      assert.equal("127.0.0.1:" .. s.port, told[1][1])
      assert.equal("rate limit", told[1][3])
      assert.equal(0, told[#told][2])
      for k = 2, #told do assert.is_true(told[k][2] < told[k - 1][2]) end
    end
  end)

  it("holds all requests to the host, and no others", function()
    local free = server.start("http_server.py")
    session = patient()
    session:add(url("/limit?header=Retry-After&form=delta"))
    while not session:poll(0.05)[1] and not told[1] do end
    session:add(url("/echo"))
    session:add(free.url .. "/echo")
    local order = {}
    while session:pending() > 0 do
      for _, r in ipairs(session:poll(1)) do order[#order + 1] = r.url end
    end
    free:stop()
    assert.equal(free.url .. "/echo", order[1])
    assert.equal(3, #order)
    assert.equal(2, stats().counts["/limit"])
  end)

  it("at the end of a redirect holds the host that said so", function()
    local pictures = server.start("http_server.py")
    session = patient()
    local there = pictures.url .. "/limit?header=Retry-After&form=delta"
    assert.is_true(session:get(url("/redirect?to=%s", http.escape(there))).json().fine)
    pictures:stop()
    assert.equal("127.0.0.1:" .. pictures.port, told[1][1])
    assert.equal(200, session:get(url("/echo")).status)
  end)

  it("is respected before it is broken", function()
    session = patient()
    assert.is_true(session:get(url("/last?in=1")).json().fine)
    assert.is_true(session:get(url("/last?in=1")).json().fine)
    assert.equal(2, stats().counts["/last"])
    assert.is_true(#told > 0)
  end)

  it("without a time is a growing delay", function()
    assert.equal("rate-limit", select(3, session:get(url("/limit?times=99"), { retries = 0 })))
    assert.equal(2, session:get(url("/limit?key=b")).attempts)
  end)

  it("longer than max_wait is a failure for all that wait for it", function()
    session = patient { max_wait = 60, per_host = 1 }
    local slow = url("/limit?header=Retry-After&form=delta&in=3600&times=99")
    for i = 1, 5 do session:add(slow .. "&n=" .. i) end
    local codes = {}
    while session:pending() > 0 do
      for _, r in ipairs(session:poll(1)) do codes[#codes + 1] = r.code end
    end
    assert.same({ "rate-limit", "rate-limit", "rate-limit", "rate-limit", "rate-limit" }, codes)
    assert.equal(1, stats().counts["/limit"])
    local _, message = session:get(url("/echo"))
    assert.truthy(message:find("asks to wait 1 h 00 min", 1, true), message)
  end)
end)

describe("many at once", function()
  it("keeps to the caps and to few connections", function()
    session = quick { per_host = 3 }
    local list = {}
    for i = 1, 40 do list[i] = url("/wait?seconds=0.02&i=%d", i) end
    local seen = {}
    assert.equal(40, session:get_many(list, function(r) seen[r.url] = r.body end))
    for _, u in ipairs(list) do assert.equal("waited", seen[u]) end
    local after = stats()
    assert.equal(3, after.peak)
    assert.is_true(after.connections <= 4)
    session = quick { per_host = 40, total = 5 }
    session:get_many(list, function() end)
    assert.is_true(stats().peak <= 5)
  end)

  it("asks for no more than there is room for, and stops when told", function()
    local asked = 0
    local done = session:get_many(function()
      asked = asked + 1
      return url("/echo?n=%d", asked)
    end, function() return false end)
    assert.equal(1, done)
    assert.equal(256, asked)
    assert.equal(0, session:pending())
    assert.equal(200, session:get(url("/echo")).status)
  end)

  it("reports failures beside the rest", function()
    local list = { url("/bytes/10"), "ftp://x/y", url("/status/404"),
      { url = url("/cut"), retries = 0 } }
    local codes = {}
    assert.equal(4, session:get_many(list, function(r) codes[#codes + 1] = r.code or "fine" end))
    table.sort(codes)
    assert.same({ "cut", "fine", "http", "url" }, codes)
  end)

  it("can be polled, cancelled and closed", function()
    local a = session:add(url("/wait?seconds=0.05"))
    local b = session:add { url = url("/stall"), file = path("stalled"), tag = "mine" }
    assert.equal(2, session:pending())
    local list = {}
    while #list == 0 do list = session:poll(1) end
    assert.equal(a, list[1].id)
    while not names():find("stalled.part", 1, true) do session:poll(0.02) end
    assert.is_true(session:cancel(b))
    assert.is_false(session:cancel(b))
    assert.equal("", names())
    assert.equal(0, session:pending())
    assert.same({}, session:poll(1))
    session:add { url = url("/stall"), file = path("stalled") }
    while not names():find("stalled.part", 1, true) do session:poll(0.02) end
    session:close()
    assert.equal("", names())
    assert.has_error(function() session:get(url("/echo")) end)
    session = quick()
  end)

  it("is left within moments of Ctrl-C", function()
    local script = [[
      local http, system = require "daub.http", require "daub.core.system"
      local me = io.open("/proc/self/stat"):read("*n")
      local session = http.session {}
      session:add(arg[1] .. "/stall")
      local killer = system.spawn({"sh", "-c", "sleep 0.3; kill -INT " .. me}, {})
      local began = system.now()
      %s
      print(system.now() - began < 5)
      killer:close()]]
    local held = elsewhere({}, script:format [[
      system.hold_interrupts(true)
      print(#session:poll(30), session:pending(), system.interrupted())
      print(session:get_many({ arg[1] .. "/stall" }, print))
    ]])
    assert.equal("0\t1\ttrue\nnil\tinterrupted\tinterrupted\ntrue\n", held)
    local free = elsewhere({}, script:format [[
      local ok, message = pcall(session.poll, session, 30)
      system.hold_interrupts(true)
      print(ok and "polled" or message:match("interrupted"))
    ]])
    assert.equal("interrupted\ntrue\n", free)
  end)
end)

describe("examples/fetch.lua", function()
  it("fetches into a folder", function()
    local argv = { system.realpath("/proc/self/exe"), here .. "/../../examples/fetch.lua",
      path("fetched"), url("/bytes/10"), url("/bytes/11"), url("/status/404") }
    local process = assert(system.spawn(argv, { stdout = "pipe", stderr = "null" }))
    assert.equal("2 of 3 fetched into " .. path("fetched") .. "\n", process:read(20))
    assert.equal(0, process:wait(20))
    for n = 10, 11 do
      local name = path("fetched") .. "/" .. system.sha256(("d"):rep(n))
      assert.equal(n, system.stat(name).size)
      system.remove(name)
    end
    assert.same({}, system.list_directory(path("fetched")))
    system.remove(path("fetched"))
  end)
end)

describe("addresses", function()
  it("are put together", function()
    assert.equal("a%20b%2Fc%C3%BC~.-_", http.escape("a b/cü~.-_"))
    assert.equal("actors=x&actors=y&limit=100&q=a%26b", http.query {
      limit = 100, actors = { "x", "y" }, q = "a&b" })
  end)
end)
