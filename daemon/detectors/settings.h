/* The constants that the detectors read, by rule. alerts/rules.c names each of them, with its initial
 * value, range and unit, for the configuration. Values only. */
#ifndef FORESHOCK_DETECTORS_SETTINGS_H
#define FORESHOCK_DETECTORS_SETTINGS_H

struct detector_settings {
    struct {
        double grad_norm_samples;
    } nonfinite;
    struct {
        double median, median_critical, median_critical_loss;
        double layer;
        double residual;
    } sigma_growth;
    struct {
        double ratio, leap;
    } lr_runaway;
    struct {
        double ratio, loss_rise;
    } gradient;
    struct {
        double balanced, fallen, recovered;
        double mean_samples;
        double arm_steps;
    } alignment_collapse;
    struct {
        double rise, critical;
        double arm_steps;
    } loss_high;
};

#endif
