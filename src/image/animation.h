// Animated WebP, a frame at a time.
//
//     daub_animation *a;
//     daub_status s = daub_animation_open(&a, 192, 64, 80);
//     for (…) s = daub_animation_add(a, &pixels, 40);   // shown for 40 ms
//     s = daub_animation_finish(a, &bytes, &size);      // bytes: the caller's, daub_free
//     daub_animation_close(a);
//
// Frames are kept encoded, so memory grows with the file, not with the pixels. The animation repeats
// for ever. One thread at a time.
#ifndef DAUB_IMAGE_ANIMATION_H
#define DAUB_IMAGE_ANIMATION_H

#include "image/image.h"

typedef struct daub_animation daub_animation;

// Sides of 1 to 16383, quality (lossy) of 1 to 100.
daub_status daub_animation_open(daub_animation **out, int64_t width, int64_t height, int quality);
// u8 pixels of the animation's size, 1, 3 or 4 channels (alpha is put on white); 1 to 2^20 ms.
daub_status daub_animation_add(daub_animation *a, const daub_pixels *frame, int milliseconds);
// The file; at least one frame must be there, and none can follow.
daub_status daub_animation_finish(daub_animation *a, uint8_t **out, size_t *size);
void daub_animation_close(daub_animation *a); // NULL is fine

#endif
