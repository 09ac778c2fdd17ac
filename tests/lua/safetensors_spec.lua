local safetensors = require "daub.safetensors"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local folder

local function write(bytes)
  local path = folder .. "/x.safetensors"
  local out = assert(io.open(path, "wb"))
  out:write(bytes)
  out:close()
  return path
end

-- A file of this header and these data bytes; `length` may lie.
local function file(header, data, length)
  length = length or #header
  local bytes = {}
  for i = 1, 8 do
    bytes[i] = string.char(length % 256)
    length = math.floor(length / 256)
  end
  return write(table.concat(bytes) .. header .. (data or ""))
end

local function refused(pattern, path)
  local tensors, message, code = safetensors.load(path)
  assert.is_nil(tensors)
  assert.equal("decode", code)
  assert(message:find(pattern), ("expected %q, got %q"):format(pattern, message))
end

describe("safetensors", function()
  setup(function() folder = assert(system.temporary_directory("daub-safetensors")) end)
  teardown(function()
    system.remove(folder .. "/x.safetensors")
    system.remove(folder)
  end)

  it("brings everything back", function()
    local tensors = {
      f32 = tensor.randn { 2, 3 }, f64 = tensor.randn({ 4 }, { dtype = "f64" }),
      bf16 = tensor.randn({ 5 }):to("bf16"), u8 = tensor.from({ 0, 255 }, { dtype = "u8" }),
      i32 = tensor.from({ -5 }, { dtype = "i32" }), i64 = tensor.randperm(7),
      scalar = tensor.from(3), empty = tensor.zeros { 0, 4 },
      turned = tensor.randn({ 2, 3 }):t(), ["né \"\\\n\127"] = tensor.ones { 1 },
    }
    local path = folder .. "/x.safetensors"
    assert.is_true(safetensors.save(path, tensors, { step = "7", ["quote\""] = "a\nb\1" }))
    local back, metadata = safetensors.load(path)
    assert.same({ step = "7", ["quote\""] = "a\nb\1" }, metadata)
    for name, t in pairs(tensors) do
      assert.same(t.shape, back[name].shape)
      assert.equal(t.dtype, back[name].dtype)
      assert.equal(t:tobytes(), back[name]:tobytes())
      back[name] = nil
    end
    assert.is_nil(next(back))
  end)

  it("writes the same bytes for the same contents, aligned", function()
    local a, b = tensor.randn { 3 }, tensor.from({ 1, 2, 3 }, { dtype = "u8" })
    local one, two = {}, {}
    for i = 1, 20 do one["t" .. i] = a end
    for i = 20, 1, -1 do two["t" .. i] = a end
    one.a, two.a = b, b
    local text = safetensors.encode(one, { x = "1", y = "2" })
    assert.equal(text, safetensors.encode(two, { y = "2", x = "1" }))
    assert.equal(0, (#text - 20 * 12 - 3) % 8)
  end)

  it("says what failed in the world", function()
    local t, message, code = safetensors.load(folder .. "/none")
    assert.is_nil(t)
    assert.truthy(message:find("none: No such file"))
    assert.equal("io", code)
    assert.equal("io", (select(3, safetensors.load(folder))))
    assert.equal("io", (select(3, safetensors.save(folder .. "/no/where", {}))))
  end)

  it("refuses misuse", function()
    local function raises(pattern, ...)
      local ok, problem = pcall(safetensors.encode, ...)
      assert(not ok and problem:find(pattern), problem)
    end
    raises("expected a tensor", { a = 1 })
    raises("cannot be a tensor's name", { tensor.ones { 1 } })
    raises("is not UTF%-8", { ["\255"] = tensor.ones { 1 } })
    raises("metadata is text by name", {}, { step = 7 })
  end)

  local entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
  local four = "\0\0\0\0"

  it("reads what is well formed", function()
    assert.same({ 0 }, safetensors.load(file('{"a":' .. entry .. "}", four)).a:totable())
    assert.same({}, safetensors.load(file("{}")))
    local spaced = '{ "a" :\n' .. entry
      .. ', "__metadata__" : { "b" : "\\u00e9\\ud83c\\udfa8" } }  '
    local _, metadata = safetensors.load(file(spaced, four))
    assert.equal("é🎨", metadata.b)
    local bool = file('{"a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}', "\1")
    assert.equal(1, safetensors.load(bool).a:item())
  end)

  it("refuses every malformed header", function()
    local function with(text) return file('{"a":' .. text .. "}", four) end
    refused("shorter than a header", write("1234567"))
    refused("claims", file("{}", "", 100))
    refused("at most 100 MB", file("{}", "", 2 ^ 40))
    refused("claims", file("{}", "", 2 ^ 20))
    refused("does not start", file(" {}"))
    refused("does not start", file(""))
    refused("goes on after its end", file("{}{}"))
    refused("goes on after its end", file("{}\0"))
    refused("expected", file("{"))
    refused("expected", file('{"a":' .. entry .. ",}", four))
    refused("a string has no end", file('{"a'))
    refused("control character", file('{"a\n":' .. entry .. "}", four))
    refused("unknown escape", file('{"\\x":' .. entry .. "}", four))
    refused("half a character", file('{"\\ud83c":' .. entry .. "}", four))
    refused("half a character", file('{"\\udfa8":' .. entry .. "}", four))
    refused("UTF%-8", file('{"\255":' .. entry .. "}", four))
    refused("UTF%-8", file('{"\237\160\128":' .. entry .. "}", four))
    refused("stands twice", file('{"a":' .. entry .. ',"a":' .. entry .. "}", four))
    refused("stands twice", with('{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}'))
    refused("stands twice", file('{"__metadata__":{"a":"1","a":"2"}}'))
    refused("expected", file('{"__metadata__":{"a":1}}'))
    refused("unknown field", with('{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}'))
    refused("shape is missing", with('{"dtype":"F32","data_offsets":[0,4]}'))
    refused("unknown dtype", with('{"dtype":"F33","shape":[1],"data_offsets":[0,4]}'))
    refused("not supported", with('{"dtype":"F16","shape":[2],"data_offsets":[0,4]}'))
    refused("whole number", with('{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}'))
    refused("expected", with('{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}'))
    refused("expected", with('{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}'))
    refused("whole number", with('{"dtype":"F32","shape":[01],"data_offsets":[0,4]}'))
    refused("expected", with('{"dtype":"F32","shape":1,"data_offsets":[0,4]}'))
    refused("too large",
      with('{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}'))
    refused("too large",
      with('{"dtype":"F32","shape":[4294967296,4294967297],"data_offsets":[0,4]}'))
    refused("too large",
      with('{"dtype":"F32","shape":[0,4294967296,4294967297],"data_offsets":[0,4]}'))
    refused("dimensions", with('{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}'))
    refused("outside the file", with('{"dtype":"F32","shape":[1],"data_offsets":[0,8]}'))
    refused("outside the file", with('{"dtype":"F32","shape":[1],"data_offsets":[4,0]}'))
    refused("outside the file", with('{"dtype":"F32","shape":[1],"data_offsets":[0]}'))
    refused("takes 8 bytes", with('{"dtype":"F32","shape":[2],"data_offsets":[0,4]}'))
    refused("overlap", file('{"a":' .. entry .. ',"b":' .. entry .. "}", four))
    refused("belong to nothing", file('{"a":' .. entry .. "}", four .. "x"))
    refused("belong to nothing", file("{}", "x"))
    refused("4 bytes before it", file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      four .. four))
    refused("unknown field", file(('{"a":'):rep(10000)))
  end)

  it("survives any damage to a file", function()
    local good = safetensors.encode({ a = tensor.ones { 2 }, b = tensor.zeros { 1 } }, { k = "v" })
    math.randomseed(1)
    for _ = 1, 500 do
      local at, char = math.random(#good - 12), string.char(math.random(0, 255))
      local tensors, message, code = safetensors.load(write(good:sub(1, at - 1) .. char
        .. good:sub(at + 1)))
      assert(tensors or (code == "decode" and type(message) == "string"))
    end
    for n = 0, #good - 1, 7 do
      assert.is_nil(safetensors.load(write(good:sub(1, n))))
    end
  end)
end)
