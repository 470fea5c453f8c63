package logs

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"
)

func TestEveryOperationOfTheSDKIsListed(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*cloudwatchlogs.Client]()
	for i := range client.NumMethod() {
		method := client.Method(i)
		if method.Type.NumIn() >= 3 && strings.HasSuffix(method.Type.In(2).String(), "Input") {
			want = append(want, method.Name)
		}
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("operations (-SDK +listed):\n%s", diff)
	}
}
