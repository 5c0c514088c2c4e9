/* The constants that the detectors read, by detector. alerts/rules.c names each of them, with its
 * initial value, range and unit, for the configuration. Values only. */
#ifndef FORESHOCK_DETECTORS_SETTINGS_H
#define FORESHOCK_DETECTORS_SETTINGS_H

struct detector_settings {
    struct {
        double grad_norm_samples;
    } nonfinite;
    struct {
        double median, median_rise, median_resolve;
        double pair;
        double exponential, exponential_arm_steps;
        double median_critical, median_critical_loss;
        double median_arm_steps;
        double layer, layer_rise, layer_resolve;
        double layer_unconfirmed, confirmation_diversity;
        double layer_arm_steps;
        double lookback, lookback_samples;
        double residual;
    } sigma_growth;
    struct {
        double ratio, leap, ratio_resolve;
        double rises, rise_steps;
    } lr_runaway;
    struct {
        double ratio, ratio_resolve, loss_rise, burst_loss_rise, loss_noise, loss_peaks;
        double burst, bursts;
        double arm_steps;
    } gradient;
    struct {
        double balanced, fallen, recovered;
        double mean_samples;
        double arm_steps;
    } alignment_collapse;
    struct {
        double jump, climb, climb_steps, resolve, critical, critical_steps;
        double noise, jump_peaks, climb_peaks;
        double arm_steps;
    } loss_high;
};

#endif
