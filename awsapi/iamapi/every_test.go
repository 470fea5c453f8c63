package iamapi_test

import (
	_ "embed"
	"strings"
	"testing"
)

//go:embed operations.txt
var operations string

// TestNoActionFailsOrActsForWhoMayNothing calls each action with what many of them take: call checks that no status is
// 500 or above.
func TestNoActionFailsOrActsForWhoMayNothing(t *testing.T) {
	w := newWorld(t)
	for _, action := range strings.Fields(operations) {
		for _, params := range [][]string{nil, {"RoleName", "x"}, {"UserName", "admin"}, {"GroupName", "/"},
			{"PolicyArn", "arn:"}, {"PolicyArn", "x"},
			{"InstanceProfileName", "x"}, {"OpenIDConnectProviderArn", "x"}, {"AccessKeyId", "x"},
			{"DeletionTaskId", "task/aws-service-role/x//y"}} {
			w.call(w.admin, "iam", "2010-05-08", action, params...)
			if text, code := w.call(w.powerless, "iam", "2010-05-08", action, params...); code != "AccessDenied" &&
				code != "ValidationError" {
				t.Errorf("%s %q by who may nothing: got %q: %s", action, params, code, text)
			}
		}
	}
}
