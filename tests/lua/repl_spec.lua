-- The REPL, line by line and on a pseudo-terminal.

local daub = require "support.daub"
local json = require "daub.json"
local recipes = require "daub.recipes"
local system = require "daub.core.system"

-- Feeds lines to a session of a daub of its own (strict mode changes the global table); gives what
-- it printed.
local function feed(...)
  local program = [[
    local session = require("daub.repl").session(print)
    for text in io.lines() do
      if session:feed(text) == "more" then io.write("… ") end
    end]]
  local r = daub.run({ "-e", program }, { stdin = table.concat({ ... }, "\n") .. "\n" })
  assert.are.equal(0, r.code, r.err)
  return r.out .. r.err
end

describe("a session", function()
  it("prints the values of expressions", function()
    assert.are.equal("3\n", feed "1 + 2")
    assert.are.equal("3\n", feed "=1 + 2")
    assert.are.equal("1\tnil\tx\n", feed "1, nil, 'x'")
    assert.are.equal("nil\n", feed "nil")
    assert.are.equal("", feed("x = 1", "", "   ", "-- nothing"))
    assert.are.equal("2\t2\n", feed "string.find('ab', 'b', 1, true) -- a comment")
  end)

  it("keeps the last value and the locals of earlier lines", function()
    assert.are.equal("5\n10\n", feed("2 + 3", "_ * 2"))
    assert.are.equal("7\n", feed("local x, y = 3, 4", "x + y"))
    assert.are.equal("8\n", feed("local function double(n) return 2 * n end", "double(4)"))
    assert.are.equal("nil\n", feed("local z", "z"))
  end)

  it("goes on below until a chunk is complete", function()
    assert.are.equal("… … 1\n2\n", feed("for i = 1, 2 do", "print(i)", "end"))
    assert.are.equal("… 3\n", feed("1 +", "2"))
    assert.are.equal("… … a\nb\nc\n", feed("print [[a", "b", "c]]"))
    assert.are.equal("… 6\n", feed("=(1 + 2 +", "3)"))
  end)

  it("survives every error", function()
    assert.are.equal("error: stdin:1: boom\nok\n", feed("do error 'boom' end", "'ok'"))
    assert.matches("^error: stdin:1: unexpected symbol near '%)'", feed ")")
    assert.matches("^error: stdin:1: .* near '4'\n5\n$", feed("x = 4 4", "5"))
    assert.matches("^error: {code = 7}", feed "error {code = 7}")
    assert.matches("^error: nil\n", feed "error()")
    assert.matches("whose __tostring failed: .*bad.*\nok\n",
      feed("setmetatable({}, {__tostring = function() error 'bad' end})", "'ok'"))
    assert.matches("^error: x: broken\n", feed "require('daub.cli').fail 'x: broken'")
    assert.matches("stack overflow", feed "local function f() return 1 + f() end f()")
  end)

  it("tells about names that nobody declared", function()
    assert.are.equal("warning: stdin:1: undeclared global 'prnt' (did you mean print?)\nnil\n",
      feed "prnt")
    assert.are.equal("1\n", feed("declared = 1", "declared"))
    assert.matches("assignment to the undeclared global 'leak'",
      feed("function f() leak = 1 end", "f()"))
  end)

  it("prints tables readably", function()
    assert.are.equal('{1, 2, {3}, name = "x", ["two words"] = true}\n',
      feed '{1, 2, {3}, name = "x", ["two words"] = true}')
    assert.are.equal("{{{{…}}}}\n", feed "{{{{{1}}}}}")
    assert.are.equal("{x = <the same table>}\n", feed("t = {} t.x = t", "t"))
    assert.matches("… 70 more", feed("t = {} for i = 1, 100 do t[i] = i end", "t"))
    assert.are.equal('{"a\\nb\\0\\"", {}}\n', feed '{"a\\nb\\0\\"", {}}')
    assert.matches("^{\n  a = \"x+\",\n  b = \"x+\"\n}\n$",
      feed "{a = ('x'):rep(60), b = ('x'):rep(60)}")
  end)

  it("goes as the example shows", function()
    local typed, shown = {}, {}
    for text in io.lines(recipes.root() .. "/examples/repl.txt") do
      local prompt, line = text:match("^(>>?) ?(.*)$")
      if prompt then typed[#typed + 1] = line elseif #typed > 0 then shown[#shown + 1] = text end
    end
    assert.are.equal(table.concat(shown, "\n") .. "\n", (feed(unpack(typed)):gsub("… ", "")))
  end)

  it("knows the library's modules, and says which is missing", function()
    assert.matches("^%d+%.%d+%.%d+\n$", feed "daub.version")
    assert.matches("warning: daub%.http: .*broken", feed("package.loaded['daub.http'] = nil",
      "package.preload['daub.http'] = function() error 'broken' end", "http"))
  end)

  it("prints tensors readably", function()
    assert.matches("2, 3.*f32", feed "tensor.zeros{2, 3}")
  end)

  it("helps", function()
    assert.matches("^Type Lua%.", feed "help")
    assert.matches("^Type Lua%.", feed "help()")
    assert.matches("^function M.of%(name, names%)\n.*likely meant.*nearest.lua:%d+",
      feed "help(require('daub.nearest').of)")
    assert.matches("^daub.cli\n.*one declared table.*\n  parse%(argv, spec%) +Reads the arguments",
      feed "help 'daub.cli'")
    assert.matches("^daub.core.system\nfunction M.write_file.*temporary file beside",
      feed "help(require('daub.core.system').write_file)")
    assert.matches("is no module and no recipe", feed "help 'zzz'")
    assert.matches("a nil", feed "help(nil)")
  end)
end)

describe("completion", function()
  local complete = require "daub.complete"
  local function has(name, before)
    for _, word in ipairs((complete.candidates(before))) do
      if word == name then return true end
    end
    return false
  end

  it("finds globals, keywords, fields and methods", function()
    assert.is_true(has("string", "x = str"))
    assert.is_true(has("function", "fun"))
    assert.is_true(has("format", "print(string.fo"))
    assert.is_true(has("format", "string:fo"))
    assert.is_false(has("format", "string.x"))
    assert.are.same({}, (complete.candidates("nothing.of.this.")))
    assert.are.same({}, (complete.candidates("x = 'str")))
  end)

  it("finds what metatables add", function()
    local base = { area = function() end, sides = 4 }
    rawset(_G, "completion_test", setmetatable({ own = 1 }, { __index = base }))
    assert.is_true(has("own", "completion_test."))
    assert.is_true(has("sides", "completion_test."))
    assert.is_true(has("area", "completion_test:"))
    assert.is_false(has("sides", "completion_test:"))
    rawset(_G, "completion_test", "text")
    assert.is_true(has("gsub", "completion_test:gs"))
    rawset(_G, "completion_test", io.stdout)
    assert.is_true(has("write", "completion_test:"))
    rawset(_G, "completion_test", nil)
  end)

  it("finds modules after require", function()
    assert.is_true(has("daub.core.system", 'require "daub.core.s'))
    assert.is_true(has("daub.cli", "local cli = require('daub.c"))
    assert.is_false(has("daub.cli", "require 'string"))
  end)

  it("inserts what is certain and shows the choice", function()
    assert.are.equal("rmat", (complete.tab("string.fo")))
    local insert, show = complete.tab("string.re")
    assert.is_nil(insert)
    assert.matches("^rep%s+reverse$", show)
    assert.are.equal("  ", (complete.tab("")))
    assert.is_nil((complete.tab("zzzzzz")))
  end)
end)

describe("on a terminal", function()
  -- Plays the steps; gives what stood on the screen and the exit code.
  local function play(steps, arguments, home)
    local result
    daub.in_folder(function(folder)
      local r = daub.run(
        { daub.tests .. "/fixtures/terminal.py", daub.path, unpack(arguments or {}) },
        { program = "/usr/bin/python3", stdin = json.encode(steps),
          env = { XDG_STATE_HOME = home or folder, TERM = "xterm", HOME = folder } })
      result = r
    end)
    if result.code == 77 then pending("no pseudo-terminals here (is /dev/pts mounted?)") end
    assert.are.equal(0, result.code, result.out .. result.err)
    local screen, code = result.out:match("^(.*)\nexit (%-?%d+)\n$")
    return screen, tonumber(code)
  end

  local hello, bye, prompt = { "", "> " }, { "\4" }, "\n> "

  it("greets, runs, and leaves on Ctrl-D", function()
    local screen, code = play { hello, { "6 * 7\n", "42", prompt }, bye }
    assert.matches("^daub %d", screen)
    assert.are.equal(0, code)
  end)

  it("continues lines with another prompt", function()
    play { hello, { "for i = 1, 2 do\n", ">> " }, { "print('line ' .. i) end\n", "line 2", prompt },
      bye }
  end)

  it("ends only the present line on Ctrl-C", function()
    local _, code = play { hello, { "print('go' .. 'ing') while true do end\n", "going" },
      { "\3", "interrupted", prompt }, { "\3", "^C", prompt }, { "\3", "^C", prompt },
      { "'typed", "typed" }, { "\3", "^C", prompt }, { "for i = 1, 2 do\n", ">> " },
      { "\3", prompt }, { "'al' .. 'ive'\n", "alive", prompt },
      { "do print('a' .. 'gain') while true do pcall(f) end end\n", "again" },
      { "\3", "interrupted", prompt }, { "'still ' .. 'here'\n", "still here", prompt }, bye }
    assert.are.equal(0, code)
  end)

  it("ends a line whose error left interrupts held", function()
    play { hello,
      { "require('daub.core.system').hold_interrupts(true) error 'x'\n", "error", prompt },
      { "print('go' .. 'ing') while true do end\n", "going" }, { "\3", "interrupted", prompt },
      bye }
  end)

  it("lets errors pass", function()
    local _, code = play { hello, { "error('bo' .. 'om')\n", "boom", prompt },
      { "'o' .. 'k'\n", "ok", prompt }, bye }
    assert.are.equal(0, code)
  end)

  it("completes with Tab", function()
    play { hello, { "string.re\t", "reverse" }, { "v\t('abc')\n", "cba", prompt },
      { "require 'daub.near\t'.of('a', {'a'})\n", "\na", prompt }, bye }
  end)

  it("remembers lines from one time to the next", function()
    daub.in_folder(function(home)
      play({ hello, { "'first' .. 'line'\n", "firstline", prompt }, bye }, nil, home)
      assert.are.equal(384, system.stat(home .. "/daub/history").mode) -- 0600
      play({ hello, { "\27[A\n", "firstline", prompt }, bye }, nil, home)
    end)
  end)

  it("takes letters of any language", function()
    play { hello, { "#'äö' + 38\n", "42", prompt }, bye }
  end)

  it("follows a script after -i", function()
    play({ hello, { "x + 1\n", "6", prompt }, bye }, { "-i", "-e", "x = 5" })
  end)

  it("redraws one line of progress", function()
    local program = [[local r = require("daub.cli").reporter {}
      local sleep = require("daub.core.system").sleep
      for i = 1, 3 do r:progress(("picture %d "):format(i):rep(20), i / 3) sleep(0.11) end
      r:note "a note" r:done()]]
    local screen = play({ { "", "100 %" } }, { "-e", program })
    local _, lines = screen:gsub("\n", "")
    assert.are.equal(2, lines)
    assert.matches("\r%[#######%.+%]  33 %%  picture 1", screen)
    assert.matches("\r\27%[Ka note\r\n", screen)
    for line in screen:gmatch("\r([^\r\n]*)\27%[K") do
      assert.is_true(require("daub.progress").width(line) < 80)
    end
  end)
end)
