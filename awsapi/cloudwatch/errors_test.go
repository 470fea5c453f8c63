package cloudwatch_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	"tripod/state"
)

// TestErrorsHaveTheirTypesAndTheirOldCodes: SDKs know a modelled error by its name, and show the code that the query protocol had.
func TestErrorsHaveTheirTypesAndTheirOldCodes(t *testing.T) {
	w := apitest.New(t, func(*state.Txn) {})
	client := cloudwatch.NewFromConfig(w.Config("admin"))
	in := &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("a"), StateValue: types.StateValueOk, StateReason: aws.String("r"),
		StateReasonData: aws.String("{")}
	_, err := client.SetAlarmState(t.Context(), in)
	var malformed *types.InvalidFormatFault
	var e smithy.APIError
	if !errors.As(err, &malformed) || !errors.As(err, &e) || e.ErrorCode() != "InvalidFormat" {
		t.Errorf("got %v, want InvalidFormatFault with the code InvalidFormat", err)
	}
	in.StateReasonData = nil
	_, err = client.SetAlarmState(t.Context(), in)
	var missing *types.ResourceNotFound
	if !errors.As(err, &missing) || !errors.As(err, &e) || e.ErrorCode() != "ResourceNotFound" {
		t.Errorf("got %v, want ResourceNotFound", err)
	}
}
