/* The tutorial's network by hand-fused code: forward, backward, clipping by global norm, SGD with momentum.

   What a run costs here is the floor for one core: no dispatch, nothing recorded, sizes known to the compiler.
   Compiled with -DFEATURES and -DUNITS by fused.py. Units are padded with zeros to whole vectors; a unit whose
   weights are all zero never fires, so the padding stays zero. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDE ((UNITS + 15) / 16 * 16)
#define SIZE ((FEATURES + 2) * WIDE + 1)

typedef struct {
    float hidden[FEATURES][WIDE], bias[WIDE], output[WIDE], output_bias;
} Net;

static float forward(const Net *restrict net, const float *restrict x, float *restrict unit) {
    float answer = net->output_bias, sum[WIDE];
    memcpy(sum, net->bias, sizeof sum);
#pragma GCC unroll 32
    for (int k = 0; k < FEATURES; k++)
        for (int j = 0; j < WIDE; j++) sum[j] += x[k] * net->hidden[k][j];
    for (int j = 0; j < WIDE; j++) {
        unit[j] = sum[j] > 0 ? sum[j] : 0;
        answer += unit[j] * net->output[j];
    }
    return answer;
}

static void backward(const Net *restrict net, const float *restrict x, const float *restrict unit, float slope,
                     Net *restrict grad) {
    float delta[WIDE];
    grad->output_bias += slope;
    for (int j = 0; j < WIDE; j++) {
        grad->output[j] += slope * unit[j];
        delta[j] = unit[j] > 0 ? slope * net->output[j] : 0;
        grad->bias[j] += delta[j];
    }
#pragma GCC unroll 32
    for (int k = 0; k < FEATURES; k++)
        for (int j = 0; j < WIDE; j++) grad->hidden[k][j] += x[k] * delta[j];
}

static void update(float *params, const float *grad, float *velocity, float max_norm, float rate, float momentum) {
    float square = 0;
    for (int i = 0; i < SIZE; i++) square += grad[i] * grad[i];
    float scale = max_norm / (sqrtf(square) + 1e-6f);
    if (scale > 1) scale = 1;
    for (int i = 0; i < SIZE; i++) {
        velocity[i] = momentum * velocity[i] + scale * grad[i];
        params[i] -= rate * velocity[i];
    }
}

static void shuffle(int *rows, int n, unsigned *state) {
    for (int i = n - 1; i > 0; i--) {
        *state ^= *state << 13, *state ^= *state >> 17, *state ^= *state << 5;
        int j = *state % (i + 1), row = rows[i];
        rows[i] = rows[j], rows[j] = row;
    }
}

/* Train `net` on n rows and return its mean squared error on them. */
float train(Net *net, const float *x, const float *y, int n, int epochs, int batch, float max_norm, float rate,
            float momentum, unsigned seed) {
    Net grad, velocity = {0};
    float unit[WIDE], loss = 0;
    unsigned state = 2654435769u * (seed + 1) | 1;
    int *rows = malloc(n * sizeof *rows);
    for (int i = 0; i < n; i++) rows[i] = i;
    for (int epoch = 0; epoch < epochs; epoch++) {
        shuffle(rows, n, &state);
        for (int start = 0; start < n; start += batch) {
            int count = n - start < batch ? n - start : batch;
            memset(&grad, 0, sizeof grad);
            for (int i = start; i < start + count; i++) {
                const float *row = x + rows[i] * FEATURES;
                float error = forward(net, row, unit) - y[rows[i]];
                backward(net, row, unit, 2 * error / count, &grad);
            }
            update((float *)net, (float *)&grad, (float *)&velocity, max_norm, rate, momentum);
        }
    }
    for (int i = 0; i < n; i++) {
        float error = forward(net, x + i * FEATURES, unit) - y[i];
        loss += error * error / n;
    }
    free(rows);
    return loss;
}
