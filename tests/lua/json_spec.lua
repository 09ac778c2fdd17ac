local json = require "daub.json"

describe("json.decode", function()
  it("reads values", function()
    assert.are.same({ a = { 1, 2.5, "x", true }, b = {} },
      json.decode('{"a":[1,2.5,"x",true],"b":{}}'))
    assert.are.equal("ä€😀", json.decode('"\\u00e4€\\ud83d\\ude00"'))
    assert.are.equal(7, json.decode("7"))
  end)

  it("drops null in objects, keeps places in arrays", function()
    local value = json.decode('{"a":null,"b":[null,1,null],"c":{"d":null}}')
    assert.is_nil(value.a)
    assert.are.equal(json.null, value.b[1])
    assert.are.equal(1, value.b[2])
    assert.is_nil(next(value.c))
    assert.is_nil(json.decode("null"))
  end)

  it("keeps whole numbers beyond 2^53 as strings", function()
    local value = json.decode([[{"id":12345678901234567890,"n":-9007199254740993,
      "small":9007199254740991,"float":12345678901234567890.5,"exp":1234567890123456789e2,
      "s":"12345678901234567890","t":"a\"12345678901234567890\\","list":[10000000000000000001]}]])
    assert.are.equal("12345678901234567890", value.id)
    assert.are.equal("-9007199254740993", value.n)
    assert.are.equal(9007199254740991, value.small)
    assert.are.equal("number", type(value.float))
    assert.are.equal("number", type(value.exp))
    assert.are.equal("12345678901234567890", value.s)
    assert.are.equal('a"12345678901234567890\\', value.t)
    assert.are.same({ "10000000000000000001" }, value.list)
  end)

  it("gives nil, a message and a code for what is no JSON", function()
    for _, text in ipairs { "", "{", "[1,]", "{a:1}", "nul", "1 2", "<html>", ("["):rep(200),
      '{"x":12345678901234567890', '"12345678901234567890' } do
      local value, message, code = json.decode(text)
      assert.is_nil(value)
      assert.matches("^JSON: ", message)
      assert.are.equal("decode", code)
    end
  end)

  it("raises for what is no text", function()
    assert.has_error(function() json.decode(nil) end)
  end)
end)

describe("json.encode", function()
  it("sorts keys", function()
    assert.are.equal('{"a":1,"b":[1,2],"c":{"x":true,"y":"z"}}',
      json.encode { c = { y = "z", x = true }, a = 1, b = { 1, 2 } })
  end)

  it("writes numbers that read back exactly, in few digits", function()
    assert.are.equal("[1,-3,0.1,1e+300,9007199254740991,0.5]",
      json.encode { 1, -3, 0.1, 1e300, 9007199254740991, 0.5 })
    for _ = 1, 200 do
      local n = (math.random() - 0.5) * 10 ^ math.random(-20, 20)
      assert.are.equal(n, tonumber(json.encode(n)))
    end
    assert.are.equal("[null,null,null]", json.encode { 0 / 0, math.huge, -math.huge })
  end)

  it("writes strings any reader accepts", function()
    local text = '"\\/\b\f\n\r\t\0\31\127 äöü€😀'
    assert.are.equal(text, json.decode(json.encode(text)))
    assert.are.equal('"a\239\191\189b"', json.encode("a\255b"))
    assert.are.equal('"\239\191\189\239\191\189"', json.encode("\192\128"))
    assert.are.equal(('\239\191\189'):rep(3), json.decode(json.encode("\237\160\128")))
  end)

  it("tells arrays from objects", function()
    assert.are.equal("{}", json.encode {})
    assert.are.equal("[]", json.encode(json.array {}))
    assert.are.equal("[[],{}]", json.encode { json.array {}, {} })
    assert.are.equal("[null,1]", json.encode { json.null, 1 })
  end)

  it("refuses what JSON cannot hold", function()
    local loop = {}
    loop.loop = loop
    for _, value in ipairs { print, { 1, x = 2 }, { [2.5] = 1 }, { [true] = 1 }, loop,
      { a = print } } do
      local text, message, code = json.encode(value)
      assert.is_nil(text)
      assert.matches("^JSON: ", message)
      assert.are.equal("invalid", code)
    end
  end)

  it("writes files for people", function()
    assert.are.equal('{\n  "a": [1, 2],\n  "b": {\n    "c": "d"\n  },\n  "e": {}\n}\n',
      json.pretty { e = {}, b = { c = "d" }, a = { 1, 2 } })
  end)
end)

describe("json.members", function()
  it("gives the members of an object as they stand in its text", function()
    local text = [[{ "a" : {"x":[],"y":null} , "b\"c":[1,{"q":"},]"}],"n":12345678901234567890,
      "s":"he said \"hi\" \\", "e":{}, "z": null, "a":1e400 }]]
    local seen = {}
    for i, member in ipairs(assert(json.members(text))) do
      seen[i] = member.name .. " = " .. member.text
    end
    assert.same({ [[a = {"x":[],"y":null}]], [=[b"c = [1,{"q":"},]"}]]=],
      "n = 12345678901234567890", [[s = "he said \"hi\" \\"]], "e = {}", "z = null", "a = 1e400" },
      seen)
    assert.same({}, json.members(" {} "))
  end)

  it("wants an object", function()
    for _, text in ipairs { "[1]", "1", "null", "", '{"a":', '{"a":"b', "{'a':1}" } do
      local members, message, code = json.members(text)
      assert.is_nil(members)
      assert.matches("^JSON: ", message)
      assert.equal("decode", code)
    end
  end)
end)
