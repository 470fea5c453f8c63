package awsapi_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tripod/awsapi"
)

func TestCallsAreCountedWithoutTheClientsWords(t *testing.T) {
	w := newWorld(t)
	w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{})
	w.eks(w.admin).DescribeCluster(context.Background(), &eks.DescribeClusterInput{Name: aws.String("nope")})
	w.raw(t, "GET", "/?Action=Words&Version=2011-06-15", "", nil, signAs(t, w.admin, "sts"))
	w.raw(t, "GET", "/words", "", nil, signAs(t, w.admin, "words"))
	w.raw(t, "GET", "/words", "", nil, nil)
	w.raw(t, "GET", "/healthz", "", nil, nil)
	families, err := w.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "tripod_aws_requests_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			got[labels["service"]+" "+labels["operation"]+" "+labels["principal"]+" "+labels["code"]] = metric.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"eks ListClusters user/admin OK": 1, "eks DescribeCluster user/admin ResourceNotFoundException": 1,
		"sts none user/admin InvalidAction": 1, "other none user/admin UnknownOperationException": 1,
		"none none none MissingAuthenticationTokenException": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	problems, err := testutil.GatherAndLint(w.metrics)
	if err != nil || len(problems) > 0 {
		t.Errorf("names of metrics: %v, %v", problems, err)
	}
	(&awsapi.Front{Backend: awsapi.Backend{State: w}, Registerer: w.metrics}).Handler() // registering again is no panic
}
