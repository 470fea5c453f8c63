package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi"
)

func TestThrottledClientsSucceedInTheEnd(t *testing.T) {
	w := newWorld(t, func(f *awsapi.Front) { f.Throttle = true })
	client := eks.New(eks.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(w.admin),
		RetryMaxAttempts: 10})
	once := w.eks(w.admin)
	// The front's clock stands still until the bucket is empty.
	w.clock = time.Now()
	var err error
	for n := 0; err == nil; n++ {
		if _, err = once.ListClusters(context.Background(), &eks.ListClustersInput{}); n > 100 && err == nil {
			t.Fatal("nothing was throttled")
		}
	}
	wantCode(t, err, "ThrottlingException", http.StatusTooManyRequests)
	var throttled *types.ThrottlingException
	if !errors.As(err, &throttled) || throttled.ErrorMessage() != "Rate exceeded" {
		t.Errorf("got %v", err)
	}
	w.clock = time.Time{}
	if _, err := client.ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
		t.Errorf("with retries: %v", err)
	}
}
