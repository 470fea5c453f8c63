package iamapi_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// TestPolicyIsShownAsIAMShowsIt looks at what differs between the answers of CreatePolicy and GetPolicy.
func TestPolicyIsShownAsIAMShowsIt(t *testing.T) {
	w := newWorld(t)
	made := w.iam(w.admin, "", "CreatePolicy", "PolicyName", "p", "PolicyDocument", listClusters, "Description", "lists")
	if strings.Contains(made, "Description") || strings.Contains(made, "Tags") {
		t.Errorf("CreatePolicy tells the description or tags: %s", made)
	}
	shown := w.iam(w.admin, "", "GetPolicy", "PolicyArn", "arn:aws:iam::"+account+":policy/p")
	if !strings.Contains(shown, "<Description>lists</Description>") || !strings.Contains(shown, "<Tags></Tags>") {
		t.Errorf("GetPolicy lacks the description or the empty tags: %s", shown)
	}
}

func TestAccountSummaryHasAllOfIAMsKeys(t *testing.T) {
	w := newWorld(t)
	got := w.iam(w.admin, "", "GetAccountSummary")
	for _, key := range types.SummaryKeyType("").Values() {
		if !strings.Contains(got, "<key>"+string(key)+"</key>") {
			t.Errorf("there is no %s", key)
		}
	}
}
