package cloudwatch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

// TestTagsOfAlarmsAreConditions, at their creation and later; to create with tags needs cloudwatch:TagResource too.
func TestTagsOfAlarmsAreConditions(t *testing.T) {
	w := apitest.New(t, func(*state.Txn) {})
	user := func(name, actions string) {
		w.User(name)
		policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[` + actions + `],"Resource":"*","Condition":{` +
			`"StringEquals":{"aws:RequestTag/team":"web"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}}`
		w.Write(func(tx *state.Txn) {
			one, _ := region.Users.Get(tx, name)
			one.Inline = map[string]string{"own": policy}
			region.Users.Put(tx, name, one)
		})
	}
	user("both", `"cloudwatch:PutMetricAlarm","cloudwatch:TagResource"`)
	user("put", `"cloudwatch:PutMetricAlarm"`)
	put := func(user, name string, tags ...string) error {
		in := &cloudwatch.PutMetricAlarmInput{AlarmName: &name, MetricName: aws.String("Errors"), Namespace: aws.String("Shop"),
			Statistic: types.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1),
			ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold}
		for _, one := range tags {
			key, value, _ := strings.Cut(one, "=")
			in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &value})
		}
		_, err := cloudwatch.NewFromConfig(w.Config(user)).PutMetricAlarm(t.Context(), in)
		return err
	}
	denied := func(err error, action string) {
		t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || !strings.Contains(e.ErrorMessage(), "is not authorized to perform: cloudwatch:"+action) {
			t.Errorf("got %v, want that %s is denied", err, action)
		}
	}
	denied(put("both", "a"), "PutMetricAlarm")
	denied(put("both", "a", "team=db"), "PutMetricAlarm")
	denied(put("both", "a", "team=web", "other=x"), "PutMetricAlarm")
	denied(put("put", "a", "team=web"), "TagResource")
	if err := put("both", "a", "team=web"); err != nil {
		t.Fatal(err)
	}
	if err := put("put", "a", "team=web"); err != nil {
		t.Errorf("an alarm that there is, whose tags stay: %v", err)
	}
	tag := func(key string) error {
		_, err := cloudwatch.NewFromConfig(w.Config("both")).TagResource(t.Context(), &cloudwatch.TagResourceInput{
			ResourceARN: aws.String("arn:aws:cloudwatch:us-east-1:111122223333:alarm:a"),
			Tags:        []types.Tag{{Key: &key, Value: aws.String("web")}}})
		return err
	}
	denied(tag("other"), "TagResource")
	if err := tag("team"); err != nil {
		t.Error(err)
	}
}
