-- LuaJIT 2.1.0-beta3 of 2022 compiles loops over pairs and next wrongly; the host mends it.

local daub = require "support.daub"

local function five() return { a = 1, b = 2, c = 3, d = 4, e = 5 } end

describe("pairs and next", function()
  it("visit every key in nested loops, compiled or not", function()
    local outer, inner = five(), five()
    for _ = 1, 300 do
      local visits = 0
      for _ in pairs(outer) do
        for _ in pairs(inner) do visits = visits + 1 end
      end
      assert.are.equal(25, visits)
    end
  end)

  it("visit every key when the loop breaks and starts again", function()
    local t = five()
    for i = 1, 300 do
      local n = 0
      for key in pairs(t) do
        n = n + 1
        if i % 3 == 0 and key == "c" then break end
      end
      assert.is_true(n == 5 or i % 3 == 0)
    end
  end)

  it("visit arrays, hashes and both", function()
    for size = 0, 40 do
      local t, sum = { x = 1, y = 2 }, 0
      for i = 1, size do t[i] = i end
      for key, value in pairs(t) do
        assert.are.equal(t[key], value)
        sum = sum + value
      end
      assert.are.equal(3 + size * (size + 1) / 2, sum)
    end
  end)

  it("walk by hand and in while loops", function()
    local t = five()
    for _ = 1, 300 do
      local n, key = 0, next(t)
      while key do
        n = n + 1
        key = next(t, key)
      end
      assert.are.equal(5, n)
    end
    assert.is_nil(next {})
  end)

  it("walk by next in a for loop", function()
    local t = five()
    for _ = 1, 300 do
      local n = 0
      for _ in next, t do n = n + 1 end
      assert.are.equal(5, n)
    end
  end)

  it("serve table.foreach", function()
    local t = five()
    for _ = 1, 300 do
      local n = 0
      table.foreach(t, function() table.foreach(t, function() n = n + 1 end) end)
      assert.are.equal(25, n)
    end
    assert.are.equal("c", table.foreach(t, function(key) if key == "c" then return key end end))
  end)

  it("allow a key to be cleared while walking", function()
    for _ = 1, 300 do
      local t, n = five(), 0
      for key in pairs(t) do
        t[key] = nil
        n = n + 1
      end
      assert.are.equal(5, n)
      assert.is_nil(next(t))
    end
  end)

  it("refuse what is no table, naming the caller's line", function()
    local ok, message = pcall(function() return (pairs(nil)) end)
    assert.is_false(ok)
    assert.matches("pairs_spec.lua:%d+: bad argument #1 to 'pairs' %(table expected, got nil%)",
      message)
  end)

  it("are in place before -e, -l and standard input", function()
    local program = [[
      local t, n = {a = 1, b = 2, c = 3, d = 4, e = 5}, 0
      for i = 1, 200 do for _ in pairs(t) do for _ in pairs(t) do n = n + 1 end end end
      io.write(n)
    ]]
    assert.are.equal("5000", daub.run({ "-e", program }).out)
    assert.are.equal("5000", daub.run({}, { stdin = program }).out)
  end)
end)
