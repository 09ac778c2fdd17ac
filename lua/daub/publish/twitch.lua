-- Twitch's API (Helix) has no call for the profile banner: this is the way by hand.
return { by_hand = {
  url = "https://www.twitch.tv/settings/profile",
  steps = {
    "Twitch lets no program set a profile banner. By hand:",
    "1. open the address below and look for \"Profile Banner\"",
    "2. choose \"Update\", take the file, and save",
  },
} }
