package logs

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"
)

func TestEveryOperationIsDocumented(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*cloudwatchlogs.Client]()
	for i := range client.NumMethod() {
		if method := client.Method(i); method.Type.NumIn() >= 3 && strings.HasSuffix(method.Type.In(2).String(), "Input") {
			want = append(want, method.Name)
		}
	}
	if diff := cmp.Diff(want, operations); diff != "" {
		t.Errorf("the list of operations is not the SDK's: %s", diff)
	}
	has := slices.Sorted(maps.Keys((&Service{}).actions()))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(documented)), has); diff != "" {
		t.Errorf("what is documented is not what there is: %s", diff)
	}
}
