-- Publishing, whatever the network: the order of things, undo, what is refused. The network is made
-- up.
local accounts = require "daub.accounts"
local image = require "daub.image"
local publish = require "daub.publish"
local sizes = require "daub.sizes"
local support = require "support.collecting"
local system = require "daub.core.system"

after_each(support.clean_up)

local folder = accounts.folder
before_each(function()
  local scratch = support.folder()
  accounts.folder = function() return scratch end
end)
after_each(function() accounts.folder = folder end)

-- An account that shows `shown`, and takes as many looks as `late` until it shows what is new.
local function made_up(shown, late)
  local p = { network = "bluesky", who = "alice.test", spec = "bluesky:alice.test", shown = shown,
    late = late or 0 }
  function p:current() return { url = self.shown and "cover:1" or nil, field = "kept" } end
  function p:fetch() return self.shown end
  function p:set(bytes)
    self.shown = bytes
    return { bytes = bytes }
  end
  function p:verify(receipt)
    if self.late > 0 then
      self.late = self.late - 1
      return nil, "not yet", "pending"
    end
    return self.shown == receipt.bytes or nil, "another cover is there", "mismatch"
  end
  function p:restore(state, bytes)
    assert.equal("kept", state.field)
    self.shown = bytes
    return { bytes = bytes }
  end
  return p
end

describe("a picture to publish", function()
  it("has each network's size and stays under its limit", function()
    local noise = image.from_float(require("daub.tensor").randn({ 200, 500, 3 }))
    for _, name in ipairs { "x", "bluesky" } do
      local ready = assert(publish.prepare(noise, name))
      local size = sizes.networks[name]
      local format, width, height = image.probe(ready.bytes)
      assert.same({ "jpeg", size.width, size.height }, { format, width, height })
      assert.is_true(#ready.bytes <= size.max_bytes)
      assert.is_true(#ready.bytes > 0.6 * size.max_bytes) -- the best that fits, not just any
    end
  end)
end)

describe("publishing", function()
  it("saves the old cover, sets the new one, and can put the old one back", function()
    local old = image.encode(support.patches(1), "jpeg")
    local p = made_up(old, 1)
    local state = p:current()
    assert(publish.save(p, state))
    assert(publish.set(p, "new bytes", state))
    assert.equal("new bytes", p.shown)
    assert.equal("cover:1", publish.last(p).state.url)
    assert(publish.undo(p))
    assert.equal(old, p.shown)
    local _, message, code = publish.undo(p)
    assert.equal("missing", code)
    assert.matches("nothing was published from here", message)
  end)

  it("undoes to none where there was none", function()
    local p = made_up(nil)
    local state = p:current()
    assert(publish.save(p, state))
    assert(publish.set(p, "new bytes", state))
    assert(publish.undo(p))
    assert.is_nil(p.shown)
  end)

  it("changes nothing when the old cover cannot be saved", function()
    local p = made_up("old bytes")
    function p.fetch() return nil, "the server answered 500", "http" end
    local saved, message = publish.save(p, p:current())
    assert.is_nil(saved)
    assert.matches("the old cover could not be saved: the server answered 500", message)
    p = made_up("<!DOCTYPE html><h1>Please wait</h1>") -- with status 200
    saved, message = publish.save(p, p:current())
    assert.is_nil(saved)
    assert.matches("the old cover could not be saved: not a picture", message)
  end)

  it("says when another cover shows afterwards", function()
    local p = made_up("old bytes")
    function p.set() return { bytes = "lost" } end
    local ok, message = publish.set(p, "new bytes", p:current())
    assert.is_nil(ok)
    assert.matches("bluesky:alice.test: .*another cover is there", message)
  end)

  it("knows a network by its file", function()
    for _, name in ipairs(publish.networks) do
      local module = assert(publish.network(name))
      assert.is_true(module.by_hand ~= nil or type(module.new) == "function")
      assert.is_table(sizes.networks[name])
    end
    local _, _, code = publish.network("nowhere")
    assert.equal("usage", code)
    assert.is_nil((system.stat(accounts.folder() .. "/covers-before")))
  end)
end)
