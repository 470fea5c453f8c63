package elb_test

import (
	"testing"

	"tripod/awsapi/apitest"
)

func TestBoto3FindsNoLoadBalancers(t *testing.T) { apitest.New(t).Boto3("testdata/clients.py") }
