-- The command line of the host: what it runs, what it prints, how it ends.

local daub = require "support.daub"
local system = require "daub.core.system"

local run = daub.run

local function prints(expected, arguments, o)
  local r = run(arguments, o)
  assert.are.equal("", r.err)
  assert.are.equal(expected, r.out)
  assert.are.equal(0, r.code)
end

local function fails(code, pattern, arguments, o)
  local r = run(arguments, o)
  assert.are.equal(code, r.code)
  assert.matches(pattern, r.err)
  local _, lines = r.err:gsub("\n", "")
  assert.are.equal(1, lines)
  assert.matches("^daub: ", r.err)
  return r
end

-- Runs f with the path of a script that holds `text`.
local function with_script(text, f)
  daub.in_folder(function(folder)
    local path = folder .. "/script.lua"
    assert(system.write_file(path, text))
    f(path, folder)
  end)
end

describe("daub", function()
  it("runs a script with its arguments", function()
    local program = "io.write(arg[0]:match('[^/]*$'), ' ', arg[1], ' ', arg[2], ' ', ..., #arg)"
    with_script(program, function(path)
      prints("script.lua a -b a2", { path, "a", "-b" })
      prints("script.lua -e b -e2", { "--", path, "-e", "b" })
    end)
  end)

  it("runs standard input", function()
    prints("hello\n", {}, { stdin = "print 'hello'" })
    prints("x\t1\n", { "-", "x" }, { stdin = "print(..., #arg)" })
  end)

  it("runs -e and -l in order, then the script", function()
    prints("1\n2\n", { "-e", "print(1)", "-eprint(2)" })
    with_script("print(x, package.loaded['daub.nearest'] ~= nil)", function(path)
      prints("7\ttrue\n", { "-e", "x = 7", "-l", "daub.nearest", path })
    end)
  end)

  it("reads lines beginning with #! over", function()
    with_script("#!/usr/bin/env daub\nprint 'ok'", function(path) prints("ok\n", { path }) end)
  end)

  it("goes on with the REPL after -i", function()
    local r = run({ "-i", "-e", "x = 5" },
      { stdin = "=x + 1\n", env = { XDG_STATE_HOME = "/dev/null" } })
    assert.are.equal(0, r.code)
    assert.matches("6\n", r.out)
  end)

  it("finds scripts' own modules where they are run", function()
    daub.in_folder(function(folder)
      assert(system.write_file(folder .. "/mine.lua", "return {v = 42}"))
      prints("42\n", { "-e", "print(require('mine').v)" }, { directory = folder })
    end)
  end)

  it("tells its version", function()
    assert.matches("^daub %d+%.%d+%.%d+ on LuaJIT", run({ "-v" }).out)
    assert.matches("^daub %d+%.%d+%.%d+ on LuaJIT", run({ "--version" }).out)
  end)

  it("tells what it runs on", function()
    local r = run({ "--info" }, { env = { OPENBLAS_CORETYPE = false, DAUB_ISA = false } })
    assert.are.equal(0, r.code)
    for _, name in ipairs { "daub", "kernels", "threads", "BLAS", "luajit", "libcurl", "sqlite",
      "lua%-cjson", "openblas" } do
      assert.matches("\n?" .. name .. "%s+%S", r.out)
    end
    assert.is_nil(r.out:find("warning", 1, true))
    r = run({ "--info" }, { env = { OPENBLAS_CORETYPE = "Haswell" } })
    assert.matches("warning: OPENBLAS_CORETYPE=Haswell", r.out)
  end)

  it("uses the instruction set that DAUB_ISA names", function()
    local r = run({ "--info" }, { env = { DAUB_ISA = "scalar" } })
    assert.matches("\nkernels%s+scalar %(DAUB_ISA%)", r.out)
    fails(2, "DAUB_ISA: unknown instruction set 'x9'", { "-e", "" }, { env = { DAUB_ISA = "x9" } })
  end)

  it("helps", function()
    local r = run { "--help" }
    assert.are.equal(0, r.code)
    assert.matches("^usage: daub", r.out)
    assert.are.equal(r.out, run({ "help" }).out)
    fails(2, "nosuch: no such recipe", { "help", "nosuch" })
  end)
end)

describe("an error", function()
  it("is one line and exit code 1", function()
    with_script("local x = nil\nlocal y = x.z", function(path)
      fails(1, "script.lua:2: attempt to index local 'x' %(a nil value%)", { path })
    end)
    with_script("x = = 1", function(path) fails(1, "script.lua:1: unexpected symbol", { path }) end)
    fails(1, "stdin:1: no", {}, { stdin = "error 'no'" })
    fails(1, "%(error object is a table value%)", { "-e", "error {}" })
    fails(1, "speaks",
      { "-e", "error(setmetatable({}, {__tostring = function() return 'speaks' end}))" })
    fails(1, "no/such.lua", { "no/such.lua" })
  end)

  it("comes with the way to it when asked", function()
    local program = "local function deep() error('x') end deep()"
    for _, r in ipairs { run { "--traceback", "-e", program },
      run({ "-e", program }, { env = { DAUB_TRACEBACK = "1" } }) } do
      assert.are.equal(1, r.code)
      assert.matches("^daub: .*: x\nstack traceback:\n.*in function 'deep'", r.err)
    end
  end)

  it("of a recipe is its message and its exit code", function()
    local program = [[
      local cli = require "daub.cli"
      local o = cli.parse(arg, {name = "x", summary = "x"})
      cli.fail("covers: cannot be read (make it with daub collect)")
    ]]
    with_script(program, function(path)
      fails(1, "^daub: covers: cannot be read %(make it with daub collect%)\n$", { path })
      assert.matches("\nstack traceback:\n", run({ path, "--traceback" }).err)
      fails(2, "^daub: x: unknown option %-%-quite %(did you mean %-%-quiet", { path, "--quite" })
      local help = run { path, "--help" }
      assert.are.equal(0, help.code)
      assert.matches("^usage: daub x", help.out)
    end)
  end)

  it("names the nearest option or recipe", function()
    fails(2, "^daub: %-%-inof: unknown option %(did you mean %-%-info%?%)", { "--inof" })
    fails(2, "^daub: %-%-zzz: unknown option", { "--zzz" })
    fails(2, "^daub: zzz: no such recipe or file", { "zzz" })
    fails(2, "^daub: %-e: needs a value", { "-e" })
  end)

  it("is one line, the rest comes with --traceback", function()
    fails(1, "^daub: module 'no.such' not found %(%-%-traceback adds the rest%)\n$",
      { "-l", "no.such" })
    assert.matches("no file '", run({ "--traceback", "-l", "no.such" }).err)
  end)

  it("in writing standard output is told", function()
    local r = run({ "-c", daub.path .. " -e 'print(1)' > /dev/full" }, { program = "sh" })
    assert.are.equal(1, r.code)
    assert.matches("^daub: standard output: ", r.err)
  end)
end)

describe("a reader that goes away", function()
  it("ends the program without a word", function()
    local r = run({ "-c", daub.path .. " -e 'while true do print(1) end' | head -n 1" },
      { program = "sh" })
    assert.are.equal("1\n", r.out)
    assert.are.equal("", r.err)
  end)

  it("elsewhere is an ordinary failure", function()
    prints("nil\tio\n", { "-e", [[
      local system = require "daub.core.system"
      local p = system.spawn({"true"}, {stdin = "pipe"})
      p:wait()
      local ok, message, code = p:write("x")
      print(ok, code)]] })
  end)
end)

-- Starts a script that prints "ready", sends signals, gives exit code and what was printed.
local function interrupt(text, signals, pause)
  local result
  with_script("io.stdout:setvbuf 'no'\n" .. text, function(path, folder)
    local p = daub.start({ daub.path, path }, folder)
    for _ = 1, 1000 do
      if (system.read_file(folder .. "/out") or ""):find("ready", 1, true) then break end
      assert(system.sleep(0.01))
    end
    for i, signal in ipairs(signals) do
      if i > 1 then assert(system.sleep(pause or 0.1)) end
      p:kill(signal)
    end
    local code = p:wait(20)
    p:close()
    result = { code = code, out = system.read_file(folder .. "/out"),
      err = system.read_file(folder .. "/err") }
  end)
  return result
end

describe("Ctrl-C", function()
  it("ends a script with 130", function()
    local r = interrupt([[
      print "ready"
      local system = require "daub.core.system"
      while system.sleep(0.01) do end
      while true do system.now() end]], { "int" })
    assert.are.equal(130, r.code)
    assert.are.equal("daub: interrupted\n", r.err)
  end)

  it("ends work of the engine, whoever handles the error", function()
    local work = "x = require('daub.tensor').zeros{300, 300} print 'ready' "
    for _, body in ipairs { "while true do x = x + 1 end", "while true do x:matmul(x) end",
      "assert(xpcall(function() while true do x = x + 1 end end, debug.traceback))",
      "while true do xpcall(function() x = x + 1 end, function(m) return m:upper() end) end" } do
      local r = interrupt(work .. body, { "int" })
      assert.are.equal(130, r.code, r.err)
    end
  end)

  it("ends a loop in plain Lua", function()
    local r = interrupt("jit.off() print 'ready' while true do end", { "int" })
    assert.are.equal(130, r.code)
    assert.are.equal("daub: interrupted\n", r.err)
  end)

  it("is not swallowed by pcall in a loop", function()
    for _, body in ipairs { "pcall(function() while true do end end)",
      "pcall(function() for i = 1, 1e5 do x = i end end)",
      "pcall(error)", "pcall(require('daub.core.system').sleep, 0.001)" } do
      local r = interrupt("jit.off() print 'ready' while true do " .. body .. " end", { "int" })
      assert.are.equal(130, r.code)
      assert.are.equal("daub: interrupted\n", r.err)
    end
  end)

  it("leaves whoever catches it time to clean up", function()
    local r = interrupt([[
      local system = require "daub.core.system"
      print "ready"
      local ok, message = pcall(function() while true do system.now() end end)
      system.hold_interrupts(true)
      for i = 1, 1e6 do local x = i end
      print("saved", system.interrupted(), (message:gsub("^.*: ", "")))
      system.hold_interrupts(false)
      print "never"
    ]], { "int" })
    assert.are.equal(130, r.code)
    assert.are.equal("ready\nsaved\ttrue\tinterrupted\n", r.out)
  end)

  it("only sets the flag while it is held", function()
    local r = interrupt([[
      local system, cli = require "daub.core.system", require "daub.cli"
      system.hold_interrupts(true)
      print "ready"
      local steps = 0
      repeat
        for i = 1, 1e5 do steps = steps + 1 end
      until system.interrupted()
      print("whole", steps % 1e5)
      cli.interrupted("saved; --resume goes on")
    ]], { "int" })
    assert.are.equal(130, r.code)
    assert.are.equal("ready\nwhole\t0\n", r.out)
    assert.are.equal("daub: interrupted: saved; --resume goes on\n", r.err)
  end)

  it("pressed twice ends at once even what never looks", function()
    local r = interrupt("print 'ready' local x = 0 while true do x = x + 1 end", { "int", "int" })
    assert.are.equal(130, r.code)
  end)

  it("ends waiting for input", function()
    with_script("print 'ready' io.stdout:flush() io.read()", function(path)
      local p = assert(system.spawn({ daub.path, path },
        { stdin = "pipe", stdout = "pipe", stderr = "null" }))
      assert.are.equal("ready\n", p:read(20))
      p:kill("int")
      assert.are.equal(130, p:wait(20))
      p:close()
    end)
  end)

  it("and the end of a session are alike", function()
    -- Under nohup nothing ends with the session: signal 1 is the lowest bit of what is ignored.
    local ignored = tonumber(system.read_file("/proc/self/status"):match("SigIgn:%s*%x*(%x)"), 16)
    local signals = ignored % 2 == 1 and { "term" } or { "term", "hup" }
    for _, signal in ipairs(signals) do
      local r = interrupt("jit.off() print 'ready' while true do end", { signal })
      assert.are.equal(130, r.code)
    end
  end)
end)

describe("an installed daub", function()
  it("finds its library beside itself, wherever it was moved #slow", function()
    local build = daub.path:match("^(.*)/[^/]*$")
    if not system.stat(build .. "/cmake_install.cmake") then
      pending("needs a build folder")
      return
    end
    daub.in_folder(function(folder)
      local r = run({ "--install", build, "--prefix", folder .. "/first" }, { program = "cmake" })
      assert.are.equal(0, r.code)
      assert(system.rename(folder .. "/first", folder .. "/second"))
      r = run({ "-e", "print(require('daub.recipes').root())" },
        { program = folder .. "/second/bin/daub" })
      assert.are.equal(folder .. "/second/share/daub\n", r.out)
    end)
  end)
end)
