-- Watching a run: measurements beside their floors, the best kept, the way back from a collapse.
local Watch = require "daub.learn.watch"
local checkpoint = require "daub.checkpoint"
local core = require "daub.core.data"
local fixture = require "support.learning"
local json = require "daub.json"
local run = require "daub.learn.run"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local function entries(r, event)
  local list = {}
  for _, entry in ipairs(r:entries()) do
    if entry.event == event then list[#list + 1] = entry end
  end
  return list
end

describe("a watch", function()
  local folder, learnt, held
  -- Noise of two scales: like pictures of one source, and all different.
  local function pictures(count, seed)
    local generator = tensor.generator(seed)
    local coarse = tensor.randn({ count, 4, 4, 3 }, { generator = generator })
    local rows = tensor.arange(0, 16):to("f32"):mul(0.25):floor():to("i64") + 1
    return (coarse:index_select(2, rows):index_select(3, rows) * 0.4):clamp(-1, 1)
  end
  local function pack(name, x)
    local writer = assert(core.writer(folder .. "/" .. name, 16, 16, x.shape[1]))
    for i = 1, x.shape[1] do
      writer:put(i, system.sha256(name .. i), ((x:select(1, i) + 1) * 127.5):to("u8").array)
    end
    writer:finish()
    return assert(core.open(folder .. "/" .. name))
  end
  setup(function()
    folder = system.temporary_directory("daub-watch")
    learnt, held = pack("learnt", pictures(80, 1)), pack("held", pictures(20, 2))
  end)
  teardown(function() fixture.remove(folder) end)

  -- A painter that paints what it is told to.
  local painter = {}
  function painter:paint(z)
    return self.x:narrow(1, 1, z.shape[1])
  end
  local function new()
    return Watch.new { average = painter, learnt = learnt, held = held,
      latents = function(count) return tensor.zeros { count, 2 } end }
  end
  local same = pictures(1, 9):expand { 20, 16, 16, 3 }

  it("tells good paintings from bad ones and remembers the best three", function()
    local watch = new()
    local noise = tensor.randn({ 20, 16, 16, 3 }, { generator = tensor.generator(4) })
    local scores, least = {}, math.huge
    for step, strength in ipairs { 0.2, 0, 0.1, 0.05, 0.15 } do
      painter.x = pictures(20, 3) + noise * strength
      local seen = watch:look(step, 0.5)
      assert.is_nil(seen.trouble)
      assert.are.equal(seen.score < least, seen.best)
      assert.truthy(seen.line:match("^swd [%d.]+ %([%d.]+%), kid .*coverage .* no copying"))
      scores[step], least = { step = step, score = seen.score }, math.min(least, seen.score)
    end
    assert.are.equal(5, watch.last)
    assert.are.equal(5, watch.good)
    table.sort(scores, function(x, y) return x.score < y.score end)
    assert.are.same({ scores[1], scores[2], scores[3] }, watch.best)
    local again = new()
    again:load_state(watch:state())
    assert.are.same(watch:state(), again:state())
    assert.are.equal(math.max(scores[1].step, scores[2].step, scores[3].step), again:refuge())
  end)

  it("sees a collapse the second time, but not where the run begins", function()
    local watch = new()
    painter.x = pictures(20, 3)
    watch:look(10, 0.1)
    painter.x = same
    assert.is_nil(watch:look(20, 0.2).trouble)
    local seen = watch:look(30, 0.3)
    assert.are.equal("it paints the same again and again", seen.trouble)
    assert.are.equal(10, seen.to)
    assert.are.equal(10, watch.good)
    assert.are.equal(1, #watch.best)

    watch = new()
    for step = 1, 3 do assert.is_nil(watch:look(step, step / 100).trouble) end
    assert.are.equal(0, watch:look(11, 0.11).to)
  end)

  it("sees that half of the covers are no longer like any painting", function()
    local watch = new()
    painter.x = pictures(20, 3)
    local before = watch:look(10, 0.5).metrics.coverage
    painter.x = pictures(20, 3) * 3
    local after = watch:look(20, 0.6)
    assert.is_true(after.metrics.coverage < before / 2 and not after.trouble)
    assert.truthy(watch:look(30, 0.7).trouble:match("^coverage fell from"))
  end)

  it("sees paintings that are no numbers at once", function()
    local watch = new()
    painter.x = pictures(20, 3)
    watch:look(10, 0)
    painter.x = painter.x * (0 / 0)
    local seen = watch:look(20, 0.01)
    assert.are.same({ "what is painted is not a number", 10, nil }, { seen.trouble, seen.to,
      seen.line })
  end)

  it("begins anew with other pictures, and keeps the old best until there are three", function()
    local watch = new()
    painter.x = pictures(20, 3)
    for step = 1, 3 do watch:look(step, 0.5) end
    watch:begin(7)
    assert.are.same({}, watch.best)
    assert.are.same({ 7, 1, 2, 3 }, (function(list) table.sort(list, function(a, b)
      return (a == 7 and 0 or a) < (b == 7 and 0 or b) end) return list end)(watch:kept()))
    for step = 8, 10 do watch:look(step, 0.5) end
    assert.are.same({ 10 }, watch:kept())
  end)
end)

describe("daub train, watched", function()
  local folder, pictures
  setup(function()
    pictures = fixture.pictures(60)
    folder = system.temporary_directory("daub-watched")
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  local function train(out, words) return fixture.train(pictures, folder .. "/" .. out, words) end
  local function last(out, step)
    return system.sha256_file(("%s/%s/checkpoints/step-%06d.safetensors"):format(folder, out,
      step))
  end

  it("goes on with a run that began before there was any of this", function()
    local out = folder .. "/older"
    assert.are.equal(0, train("older", fixture.small.lite .. " --steps 3"))
    local described = json.decode(system.read_file(out .. "/run.json"))
    for _, key in ipairs { "measure", "decay", "lr_critic", "passes" } do
      described.options.settings[key] = nil
    end
    system.write_file(out .. "/run.json", json.encode(described))
    local path = select(2, run.read(out):latest())
    local state = assert(checkpoint.load(path))
    state.session = nil
    assert(checkpoint.save(path, state))
    system.remove(out .. "/checkpoints/best")
    assert.are.equal(0, train("older", "--resume --steps 6"))
    assert.are.equal(6, (run.read(out):best()))
  end)

  -- Starts training, and stops it as soon as its output has `pattern`.
  local function stopped(out, words, pattern)
    local process = fixture.start(pictures, folder .. "/" .. out, words .. " --save-every 0 --json")
    local text = ""
    repeat text = text .. assert(process:read(60)) until text:find(pattern)
    process:kill("int")
    assert.are.equal(130, process:wait(60))
    process:close()
  end

  it("measures every so often, keeps the best, and ends in the same bytes after stops", function()
    local words = fixture.small.lite .. " --steps 50"
    assert.are.equal(0, train("whole", words))
    local r = run.read(folder .. "/whole")
    local seen = entries(r, "measured")
    assert.are.same({ 20, 40, 50 }, { seen[1].step, seen[2].step, seen[3].step })
    assert.is_true(seen[1].swd > 0 and seen[1].floors.swd > 0 and seen[1].coverage <= 1)
    local best = seen[1]
    for _, entry in ipairs(seen) do if entry.score < best.score then best = entry end end
    assert.are.equal(best.step, (r:best()))
    assert.are.equal(best.step, (r:checkpoint()))
    assert.are.equal(12, entries(r, "start")[1].held_out)

    -- stopped at a step that is measured, at others, and with another number of threads
    stopped("parts", words, '"measured"')
    assert.are.equal(0, train("parts", "--resume --steps 50 --threads 1"))
    assert.are.equal(last("whole", 50), last("parts", 50))
    assert.are.equal(system.read_file(folder .. "/whole/checkpoints/best"),
      system.read_file(folder .. "/parts/checkpoints/best"))
  end)

  it("goes back when a loss is no number, with half the rates, the same after a stop", function()
    stopped("one", fixture.small.lite .. " --steps 45", '"measured".*"step":2[2-9]')
    local r = run.read(folder .. "/one")
    local ill, path = r:latest()
    assert.is_true(ill > 20 and ill < 40)
    fixture.poison(path)
    assert.are.equal(0, os.execute(("cp -r %s/one %s/two"):format(folder, folder)))

    assert.are.equal(0, train("one", "--resume --steps 45"))
    local back = entries(r, "setback")
    assert.are.equal(1, #back)
    assert.are.same({ ill + 1, 20, 0.5 }, { back[1].from, back[1].step, back[1].rates })
    assert.are.equal("the critic's loss is not a number", back[1].reason)
    local state = assert(r:load())
    assert.are.equal(1, state.session.setbacks)
    assert.are.equal(1e-4, state.adam_g.options.lr)

    stopped("two", "--resume --steps 45", '"setback"')
    assert.are.equal(0, train("two", "--resume --steps 45"))
    assert.are.equal(1, #entries(run.read(folder .. "/two"), "setback"))
    assert.are.equal(last("one", 45), last("two", 45))
  end)
end)
