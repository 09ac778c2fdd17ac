-- Teaches a GAN to paint covers like those of a collection. Copy this file to change the loss, the
-- networks or the loop: daub my-train.lua covers --out runs/mine
local cli = require "daub.cli"
local o = cli.parse(arg, {
  name = "train", summary = "teaches a GAN to paint from a collection",
  usage = "COLLECTION --out RUN",
  positional = { { "collection", required = false, help = "collection, or a folder of pictures" } },
  options = {
    { "out", type = "path", value = "RUN", required = true, help = "folder of the run" },
    { "minutes", type = "number", value = "M", min = 0,
      help = "time to train; what is not given is chosen for it (default: 60)" },
    { "steps", type = "integer", value = "N", min = 1, help = "train until step N" },
    { "size", type = "size", value = "WxH", help = "of paintings (default: 192x64 or 96x32)" },
    { "recipe", type = "choice", choices = { "dcgan", "tiny", "lite", "base" }, value = "NAME",
      help = "networks (default: tiny, lite or base, by size and time)" },
    { "set", type = "pair", value = "KEY=VALUE", repeated = true,
      help = "a setting of the networks or of their training" },
    { "seed", type = "integer", value = "N", min = 0, help = "random numbers (default: 1)" },
    { "resume", type = "flag",
      help = "go on with RUN and its own options, to --steps or --minutes in all (or as before)" },
    { "switch", type = "path", value = "COLLECTION2",
      help = "go on with RUN on other pictures, as --resume does" },
    { "save-every", type = "number", value = "M", min = 0, default = 5,
      help = "minutes between checkpoints; 0: after every step" },
  },
  notes_of = "daub.learn.plan",
})
local daub = require "daub"
local plan = require "daub.learn.plan"
local budget = require "daub.learn.budget"
local data = require "daub.learn.data"
local trainer = require "daub.learn.trainer"
local augment = require "daub.learn.augment"
local conditions = require "daub.learn.conditions"
local Critics = require "daub.learn.critics"
local Average = require "daub.learn.average"
local gathered = require "daub.pictures"
local optim = require "daub.optim"
local system = require "daub.core.system"
local report = cli.reporter(o)

local function must(value, message, code)
  if code == "interrupted" then cli.interrupted() end
  if not value then cli.exit(code == "usage" and 2 or 1, "train: " .. message) end
  return value, message
end

-- The pictures, and the run with its options.
o.collection = must(o.switch or o.collection, "COLLECTION is missing", "usage")
local pictures = must(gathered.of(o.collection))
must(#pictures > 0, o.collection .. ": no pictures to learn from (collect some first)")
local learnt, held = data.split(pictures)
local given, planned = must(budget.choose(o, #learnt))
local run = must(plan.run(given))
local options, s, goal = run.options, run.options.settings, run:goal(o, budget.minutes)
local packed = { width = options.size.width, height = options.size.height,
  cache = o.collection .. "/cache", report = report }
local dataset, held_out = must(data.open(learnt, packed)), held[1] and must(data.open(held, packed))

-- The networks and what trains them.
daub.seed(options.seed)
daub.precision(s.precision)
local network, shape = plan.network(options.recipe), plan.shape(options)
local G, critics = network.generator(shape), Critics.new(network, shape)
local average = Average.new(G, network.generator(shape))
local adam_g = optim.Adam(G:parameters(), { lr = s.lr, betas = { s.beta1, s.beta2 } })
local change = augment.new(augment.parse(s.augment), options.seed)

if planned then budget.announce(planned, report) end
local session = must(trainer.start {
  run = run, report = report, average = average, seed = options.seed, settings = s,
  dataset = dataset, dataset_path = system.realpath(data.path(learnt, packed)), held_out = held_out,
  optimisers = { adam_g, unpack(critics.optimisers) },
  state = critics:parts { generator = G, average = average, adam_g = adam_g },
  steps = goal.steps, minutes = goal.minutes,
  save_every = o.save_every, plan = planned,
})

while session:continues() do
  local step, critic, alone = session.step, critics:turn(session.step, session.share, adam_g)
  local D, game, adam_d = critic.network, critic.game, critic.adam
  local real, told = session:batch()
  local fake = G(session:noise(told))
  real = change(real, step, 1)
  conditions.tell(D, told)

  -- The critic learns to tell real from painted.
  local d_loss, steep = game.critic(D, real, change(fake:detach(), step, 2), critic.gamma)
  adam_d:step()
  adam_d:zero_grad()

  -- The generator learns to paint what the critic takes for real.
  local g_loss
  if not alone then
    D:requires_grad_(false)
    g_loss = game.generator(D, change(fake, step, 3), real)
    g_loss:backward()
    adam_g:step()
    adam_g:zero_grad()
    D:requires_grad_(true)
    average:update(step, s.batch)
  end
  session:stepped { critic = d_loss, generator = g_loss, penalty = steep }
end
session:finish()

if session.interrupted then
  cli.interrupted(("step %d is saved (--resume goes on)"):format(session.done))
end
report:event { event = "done", run = o.out, step = session.done, sample = session.sampled }
report:say(session.sampled)
