-- Transfers over TLS: whose certificates count, redirects, HTTP/2.
local http = require "daub.http"
local server = require "support.server"
local system = require "daub.core.system"

describe("over TLS", function()
  local root, plain, secure, certificate, key, session

  local function quick(o)
    return http.session { backoff = 0.01, max_backoff = 0.05, timeout = 5,
      ca_file = o and o.ca_file, per_host = o and o.per_host }
  end

  setup(function()
    root = assert(system.temporary_directory("daub-tls-"))
    certificate, key = root .. "/cert.pem", root .. "/key.pem"
    local openssl = assert(system.spawn({ "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
      "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
      "-subj", "/CN=covers.test", "-addext", "subjectAltName=IP:127.0.0.1" },
      { stdout = "null", stderr = "null" }))
    assert.equal(0, openssl:wait(20))
    secure = server.start("http_server.py", { "--tls", certificate, key }, { scheme = "https" })
    plain = server.start("http_server.py")
  end)

  teardown(function()
    secure:stop()
    plain:stop()
    for _, file in ipairs { certificate, key, root } do system.remove(file) end
  end)

  after_each(function() session:close() end)

  it("a certificate that nobody vouches for is refused, and not asked again", function()
    session = quick()
    local r, message, code, failure = session:get(secure.url .. "/echo")
    assert.is_nil(r)
    assert.equal("tls", code)
    assert.equal(1, failure.attempts)
    assert.truthy(message:lower():find("certificate", 1, true), message)
  end)

  it("one that is vouched for must be the host's", function()
    session = quick { ca_file = certificate }
    assert.equal(200, session:get(secure.url .. "/echo").status)
    local other_name = ("https://localhost:%d/echo"):format(secure.port)
    assert.equal("tls", select(3, session:get(other_name)))
    assert.equal("tls", select(3, quick({ ca_file = "/no/such/file" }):get(secure.url .. "/echo")))
  end)

  it("is not left by a redirect", function()
    session = quick { ca_file = certificate }
    local down = secure.url .. "/redirect?to=" .. http.escape(plain.url .. "/echo")
    local _, message, code = session:get(down)
    assert.equal("redirect", code)
    assert.truthy(message:find("from https down to http", 1, true), message)
    local up = plain.url .. "/redirect?to=" .. http.escape(secure.url .. "/echo")
    assert.equal(200, session:get(up).status)
  end)

  it("shares one HTTP/2 connection among many", function()
    if not system.stat("/usr/sbin/nginx") then return pending("nginx is not installed") end
    local nginx = server.start("nginx.py", { certificate, key }, { scheme = "https" })
    session = quick { ca_file = certificate, per_host = 16 }
    local connections, list = {}, {}
    for i = 1, 60 do list[i] = nginx.url .. "/bytes?" .. i end
    session:get_many(list, function(r)
      assert.equal("2", r.http_version)
      assert.equal(20000, r.bytes)
      connections[r.headers["x-connection"]] = true
    end)
    nginx:stop()
    local n = 0
    for _ in pairs(connections) do n = n + 1 end
    assert.equal(1, n)
  end)
end)
