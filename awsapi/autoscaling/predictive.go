package autoscaling

import "tripod/awsapi/wire"

// predictive is a predictive scaling policy, which is recorded and shown: nothing is forecast.
type predictive struct {
	Specifications wire.QueryList[predictiveMetric] `query:"MetricSpecifications" xml:"MetricSpecifications" json:"MetricSpecifications"`
	Mode           string                           `xml:",omitempty" json:",omitempty"`
	BufferTime     *int                             `query:"SchedulingBufferTime" xml:"SchedulingBufferTime" json:"SchedulingBufferTime,omitempty"`
	Breach         string                           `query:"MaxCapacityBreachBehavior" xml:"MaxCapacityBreachBehavior,omitempty" json:"MaxCapacityBreachBehavior,omitempty"`
	Buffer         *int                             `query:"MaxCapacityBuffer" xml:"MaxCapacityBuffer" json:"MaxCapacityBuffer,omitempty"`
}

type predictiveQueries struct {
	Queries wire.QueryList[metricQuery] `query:"MetricDataQueries" xml:"MetricDataQueries" json:"MetricDataQueries"`
}

type predictiveMetric struct {
	TargetValue float64
	Pair        *predefinedMetric  `query:"PredefinedMetricPairSpecification" xml:"PredefinedMetricPairSpecification" json:"PredefinedMetricPairSpecification,omitempty"`
	Scaling     *predefinedMetric  `query:"PredefinedScalingMetricSpecification" xml:"PredefinedScalingMetricSpecification" json:"PredefinedScalingMetricSpecification,omitempty"`
	Load        *predefinedMetric  `query:"PredefinedLoadMetricSpecification" xml:"PredefinedLoadMetricSpecification" json:"PredefinedLoadMetricSpecification,omitempty"`
	OwnScaling  *predictiveQueries `query:"CustomizedScalingMetricSpecification" xml:"CustomizedScalingMetricSpecification" json:"CustomizedScalingMetricSpecification,omitempty"`
	OwnLoad     *predictiveQueries `query:"CustomizedLoadMetricSpecification" xml:"CustomizedLoadMetricSpecification" json:"CustomizedLoadMetricSpecification,omitempty"`
	OwnCapacity *predictiveQueries `query:"CustomizedCapacityMetricSpecification" xml:"CustomizedCapacityMetricSpecification" json:"CustomizedCapacityMetricSpecification,omitempty"`
}
