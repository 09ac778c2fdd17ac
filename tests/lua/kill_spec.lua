-- Training that is killed again and again: nothing it reported as saved is lost, and in the end the
-- run is the one that was never disturbed.
local fixture = require "support.learning"
local json = require "daub.json"
local run = require "daub.learn.run"
local system = require "daub.core.system"

local KILLS = 10

-- Everything the process said before it died.
local function last_words(process)
  local text = {}
  repeat
    local bytes = process:read(10)
    text[#text + 1] = bytes
  until not bytes
  return table.concat(text)
end

-- The last step a `saved` line names.
local function reported(text)
  local step = 0
  for line in text:gmatch("([^\n]+)\n") do
    local event = json.decode(line)
    if event and event.event == "saved" then step = event.step end
  end
  return step
end

describe("daub train under SIGKILL", function()
  local pictures, folder
  setup(function()
    pictures = fixture.pictures(8)
    folder = system.temporary_directory("daub-kill")
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  it("loses nothing it reported, and ends as if undisturbed", function()
    math.randomseed(7)
    local out, saved, ever = folder .. "/killed", 0, 0
    for _ = 1, KILLS do
      local process = fixture.start(pictures, out,
        fixture.small.dcgan .. " --resume --steps 100000 --save-every 0 --json")
      local text = ""
      if math.random() < 0.7 then -- the others may die before their first step
        repeat text = text .. assert(process:read(60)) until text:find('"saved"', 1, true)
      end
      system.sleep(math.random() * 0.1)
      process:kill("kill")
      process:wait(10)
      saved = math.max(saved, reported(text .. last_words(process)))
      process:close()
      local r = run.exists(out) and assert(run.read(out))
      local step = r and r:latest() or 0
      assert.is_true(step >= saved, ("step %d was reported, %d is there"):format(saved, step))
      if step > 0 then assert.are.equal(step, assert(r:load()).step) end
      ever = math.max(ever, step)
    end
    assert.is_true(ever > 0)
    local rest = (" --steps %d"):format(ever + 3)
    assert.are.equal(0, fixture.train(pictures, out, "--resume" .. rest))
    assert.are.equal(0, fixture.train(pictures, folder .. "/whole", fixture.small.dcgan .. rest))
    local last = ("/checkpoints/step-%06d.safetensors"):format(ever + 3)
    assert.are.equal(system.sha256_file(folder .. "/whole" .. last),
      system.sha256_file(out .. last))
  end)
end)
