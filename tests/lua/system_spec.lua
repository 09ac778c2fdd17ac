local daub = require "support.daub"
local system = require "daub.core.system"

local function failure(code, pattern, value, message, got)
  assert.is_nil(value)
  assert.matches(pattern, message)
  assert.are.equal(code, got)
end

describe("system.info", function()
  it("names what runs", function()
    local info = system.info()
    assert.are.equal(system.version(), info.version)
    assert.is_truthy(({ scalar = 1, avx2 = 1, avx512 = 1, neon = 1 })[info.isa])
    assert.is_true(info.threads >= 1 and info.cores >= 1)
    assert.matches("^OpenBLAS %d", info.blas)
    for _, name in ipairs { "luajit", "libcurl", "sqlite", "openssl", "libwebp", "stb" } do
      assert.is_string(info.libraries[name])
    end
  end)

  it("counts memory", function()
    local m = system.memory()
    assert.is_true(m.in_use >= 0 and m.cached >= 0 and m.peak >= m.in_use)
    assert.is_true(m.peak_rss > 1e6)
    system.trim()
    assert.are.equal(0, system.memory().cached)
  end)

  it("limits the number of threads", function()
    for _, n in ipairs { 0, 65, 1.5, -1 } do
      assert.has_error(function() system.threads(n) end)
    end
  end)
end)

describe("clocks", function()
  it("go forward", function()
    local before, cpu = system.now(), system.cpu_time()
    assert.is_true(system.sleep(0.01))
    assert.is_true(system.now() > before)
    assert.is_true(system.cpu_time() >= cpu)
    assert.is_true(math.abs(system.time() - os.time()) < 5)
    assert.is_true(system.sleep(-1))
  end)
end)

describe("files", function()
  it("are written whole, from one string or several", function()
    daub.in_folder(function(folder)
      local path = folder .. "/a"
      assert.is_true(system.write_file(path, "one\0two"))
      assert.are.equal("one\0two", system.read_file(path))
      assert.is_true(system.write_file(path, { "x", "", ("y"):rep(1e6) }))
      assert.are.equal("x" .. ("y"):rep(1e6), system.read_file(path))
      assert.is_true(system.write_file(path, ""))
      assert.are.equal("", system.read_file(path))
      assert.are.same({ "a" }, system.list_directory(folder))
      assert.has_error(function() system.write_file(path, { 1 }) end)
    end)
  end)

  it("keep their mode", function()
    daub.in_folder(function(folder)
      local path = folder .. "/a"
      assert(system.write_file(path, "x"))
      assert(system.chmod(path, 384)) -- 0600
      assert(system.write_file(path, "y"))
      assert.are.equal(384, system.stat(path).mode)
    end)
  end)

  it("fail with the path and the reason", function()
    failure("io", "^/nonexistent/x: No such file", system.read_file("/nonexistent/x"))
    failure("io", "^/nonexistent/x: No such file", system.write_file("/nonexistent/x", "y"))
    failure("io", "^/nonexistent: No such file", system.list_directory("/nonexistent"))
    failure("io", "^/nonexistent: No such file", system.stat("/nonexistent"))
    failure("io", "^/nonexistent: No such file", system.remove("/nonexistent"))
    failure("io", "^/nonexistent: cannot be renamed to /b", system.rename("/nonexistent", "/b"))
    failure("io", "^/nonexistent: No such file", system.realpath("/nonexistent"))
    failure("io", "^/nonexistent: No such file", system.sha256_file("/nonexistent"))
    failure("io", "^/dev/null: Not a directory", system.make_directory("/dev/null/x"))
    failure("io", "^/proc: Is a directory", system.read_file("/proc"))
  end)

  it("leave nothing behind when the disk is full", function()
    failure("io", "^/dev/full", system.write_file("/dev/full/x", "x"))
    daub.in_folder(function(folder)
      assert(system.make_directory(folder .. "/taken"))
      failure("io", "taken", system.write_file(folder .. "/taken", "x"))
      assert.are.same({ "taken" }, system.list_directory(folder))
    end)
  end)

  it("are read up to a cap, also those that tell no size", function()
    failure("io", "^/dev/zero: more than 1000 bytes", system.read_file("/dev/zero", 1000))
    daub.in_folder(function(folder)
      assert(system.write_file(folder .. "/a", "12345"))
      assert.are.equal("12345", system.read_file(folder .. "/a", 5))
      failure("io", "more than 4 bytes", system.read_file(folder .. "/a", 4))
    end)
    assert.matches("^Linux", system.read_file("/proc/version"))
  end)

  it("lie in folders made with their parents", function()
    daub.in_folder(function(folder)
      assert.is_true(system.make_directory(folder .. "/a/b//c/"))
      assert.is_true(system.make_directory(folder .. "/a/b/c"))
      assert(system.write_file(folder .. "/a/z", ""))
      assert(system.write_file(folder .. "/a/.hidden", ""))
      assert.are.same({ ".hidden", "b", "z" }, system.list_directory(folder .. "/a"))
      assert.are.equal("directory", system.stat(folder .. "/a").type)
      assert.are.equal("file", system.stat(folder .. "/a/z").type)
      assert(system.rename(folder .. "/a/z", folder .. "/a/y"))
      assert.is_nil(system.stat(folder .. "/a/z"))
      assert.are.equal(system.realpath(folder) .. "/a", system.realpath(folder .. "/a/b/.."))
    end)
  end)
end)

describe("lock_file", function()
  it("lets one in at a time and names who is in", function()
    daub.in_folder(function(folder)
      local path = folder .. "/lock"
      local lock = assert(system.lock_file(path))
      local take = ("require('daub.core.system').lock_file('%s')"):format(path)
      local r = daub.run { "-e", "print(" .. take .. ")" }
      local pid = system.realpath("/proc/self"):match("%d+$")
      assert.matches("^nil\t.*/lock: locked by process " .. pid .. "\tio", r.out)
      lock:close()
      lock:close()
      assert(system.lock_file(path)):close()
    end)
  end)

  it("ends with the process", function()
    daub.in_folder(function(folder)
      local path = folder .. "/lock"
      local take = ("require('daub.core.system').lock_file('%s')"):format(path)
      daub.run { "-e", "assert(" .. take .. ") os.exit(0)" }
      assert(system.lock_file(path)):close()
    end)
  end)
end)

describe("hashes", function()
  it("match published values", function()
    assert.are.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      system.sha256("abc"))
    assert.are.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      system.sha256(""))
    local hmac = system.hmac_sha1("Jefe", "what do ya want for nothing?") -- RFC 2202
    assert.are.equal("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
      (hmac:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
    for text, code in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      fooba = "Zm9vYmE=", foobar = "Zm9vYmFy", ["\255\254\253"] = "//79" } do -- RFC 4648
      assert.are.equal(code, system.base64(text))
    end
  end)

  it("read files", function()
    daub.in_folder(function(folder)
      local text = ("0123456789"):rep(3e5)
      assert(system.write_file(folder .. "/a", text))
      assert.are.equal(system.sha256(text), system.sha256_file(folder .. "/a"))
    end)
  end)

  it("have random bytes for keys", function()
    assert.are.equal(32, #system.random_bytes(32))
    assert.are_not.equal(system.random_bytes(32), system.random_bytes(32))
    assert.has_error(function() system.random_bytes(257) end)
  end)
end)

describe("spawn", function()
  it("talks through pipes", function()
    local p = assert(system.spawn({ "sh", "-c", "cat; echo oops >&2; exit 3" },
      { stdin = "pipe", stdout = "pipe", stderr = "pipe" }))
    assert.is_true(p:write(("x"):rep(1000)))
    p:close_stdin()
    local got = {}
    for piece in function() return p:read(10) end do got[#got + 1] = piece end
    assert.are.equal(("x"):rep(1000), table.concat(got))
    assert.are.equal("oops\n", p:read_error())
    assert.are.equal(3, p:wait())
    assert.is_true(p:kill())
    p:close()
  end)

  it("waits so long and no longer", function()
    local p = assert(system.spawn({ "sleep", "60" }, { stdout = "pipe" }))
    failure("timeout", "still running", p:wait(0.01))
    failure("timeout", "nothing to read", p:read(0.01))
    assert.is_true(p:kill("kill"))
    assert.are.equal(128 + 9, p:wait())
    p:close()
  end)

  it("leaves no child behind", function()
    local p = assert(system.spawn { "sleep", "60" })
    local pid = p:pid()
    p:close()
    assert.is_nil(system.stat("/proc/" .. pid))
  end)

  it("writes to files and reads from them", function()
    daub.in_folder(function(folder)
      assert(system.write_file(folder .. "/in", "hello"))
      local p = assert(system.spawn({ "sh", "-c", "cat; echo e >&2; pwd" },
        { stdin = folder .. "/in", stdout = folder .. "/out", stderr = "stdout",
          directory = folder }))
      assert.are.equal(0, p:wait())
      assert.are.equal("helloe\n" .. system.realpath(folder) .. "\n",
        system.read_file(folder .. "/out"))
    end)
  end)

  it("says why it cannot", function()
    failure("io", "^no%-such%-program: cannot be started: No such file",
      system.spawn { "no-such-program" })
    for _, argv in ipairs { {}, { 1 }, { {} } } do
      assert.has_error(function() system.spawn(argv) end)
    end
    assert.has_error(function() system.spawn({ "true" }, { sdtin = "null" }) end)
    assert.has_error(function() system.spawn({ "true" }, { stdin = {} }) end)
  end)
end)
