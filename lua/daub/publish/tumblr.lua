-- Tumblr's API (v2) shows headers but sets none: this is the way by hand.
return { by_hand = {
  url = "https://www.tumblr.com/settings",
  steps = {
    "Tumblr lets no program set a blog's header. By hand:",
    "1. open the address below, choose your blog on the right, then \"Edit appearance\"",
    "2. click the pencil on the header, take the file, and save",
  },
} }
