package ssm_test

import (
	"testing"

	"tripod/awsapi/apitest"
)

func TestBoto3Calls(t *testing.T) { apitest.New(t).Boto3("testdata/clients.py") }
