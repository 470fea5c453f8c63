// Package metricmath reads and computes CloudWatch's metric math, and reads its search expressions: "Using math expressions with
// CloudWatch metrics" and "Using search expressions in graphs" of its guide. Functions that ask other services (LAMBDA,
// SERVICE_QUOTA, INSIGHT_RULE_METRIC, DB_PERF_INSIGHTS) and models (ANOMALY_DETECTION_BAND) are refused by name.
package metricmath
