// Package ssm is the Parameter Store of AWS Systems Manager: AWS's public parameters that lead to images, and parameters
// of users, with versions and labels.
//
// Values of type SecureString are in the regional state as all others are. Without decryption they are shown as an opaque
// text, which nobody can decrypt; with it, who may not use their KMS key is refused.
package ssm

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "ssm"

// Service answers from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Keys are those of secrets; nil: nobody is asked.
	Keys Keys
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// Parameter is a user's parameter with all versions that are kept.
type Parameter struct {
	Name        string            `json:"name"`
	Type        string            `json:"type"` // String, StringList, SecureString
	KeyID       string            `json:"keyId,omitempty"`
	Tier        string            `json:"tier,omitempty"`
	DataType    string            `json:"dataType"`
	Description string            `json:"description,omitempty"`
	Pattern     string            `json:"pattern,omitempty"`
	Policies    string            `json:"policies,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Versions    []Version         `json:"versions"` // the newest last
}

// Version of a parameter's value.
type Version struct {
	Number  int64     `json:"number"`
	Value   string    `json:"value"`
	Labels  []string  `json:"labels,omitempty"`
	Changed time.Time `json:"changed"`
	User    string    `json:"user"` // the ARN of who wrote it
}

// parameters are the users', by name.
var parameters = state.NewTable[Parameter]("ssm-parameter")

// Bounds, as AWS has them: parameters of a region, versions of one, labels of a version, characters of a value.
const (
	maxParameters    = 10_000
	maxVersions      = 100
	maxLabels        = 10
	maxStandardValue = 4096
	maxAdvancedValue = 8192
)

const (
	secure   = "SecureString"
	ownKey   = "alias/aws/ssm"
	standard = "Standard"
	advanced = "Advanced"
)

func (p Parameter) newest() *Version { return &p.Versions[len(p.Versions)-1] }

// version is that with a number, or a label; "" is the newest.
func (p Parameter) version(selector string) *Version {
	if selector == "" {
		return p.newest()
	}
	for i := range p.Versions {
		v := &p.Versions[i]
		if fmt.Sprint(v.Number) == selector {
			return v
		}
		for _, label := range v.Labels {
			if label == selector {
				return v
			}
		}
	}
	return nil
}

func (s *Service) arn(name string) string {
	account := s.AccountID
	if strings.HasPrefix(name, "/aws/service/") {
		account = ""
	}
	return "arn:aws:ssm:" + s.Region + ":" + account + ":parameter/" + strings.TrimPrefix(name, "/")
}

func (s *Service) may(call *operation.Call, names ...string) error {
	if len(names) == 0 {
		return call.Authorize(wire.AWSJSON, "ssm:"+call.Operation, "arn:aws:ssm:"+s.Region+":"+s.AccountID+":*")
	}
	for _, name := range names {
		if err := call.Authorize(wire.AWSJSON, "ssm:"+call.Operation, s.arn(name)); err != nil {
			return err
		}
	}
	return nil
}

func refuse(code, format string, args ...any) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// seconds are a time as JSON protocols have it.
type seconds float64

func epoch(t time.Time) seconds { return seconds(float64(t.UnixMilli()) / 1000) }

var validName = regexp.MustCompile(`^[A-Za-z0-9_.\-/]+$`)

// plainName takes an ARN's beginning away from a name.
func plainName(name string) string {
	if _, rest, isARN := strings.Cut(name, ":parameter/"); isARN && strings.HasPrefix(name, "arn:") {
		if strings.Contains(rest, "/") {
			return "/" + rest
		}
		return rest
	}
	return name
}

// selected takes a selector, a version or a label behind a colon, from a name.
func selected(name string) (plain, selector string) {
	plain, selector, _ = strings.Cut(plainName(name), ":")
	return plain, selector
}

// checkName has the refusals of PutParameter.
func checkName(name string) error {
	lower := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case strings.HasPrefix(name, "/aws/") || strings.HasPrefix(lower, "aws"):
		return refuse("AccessDeniedException", "No access to reserved parameter name: %s.", wire.Clip(name))
	case strings.HasPrefix(lower, "ssm"):
		return refuse("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a "+
			"path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers "+
			"and the following 3 symbols .-_")
	case !validName.MatchString(name) || strings.Contains(name, "//") || len(name) > 1011:
		return refuse("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return refuse("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > 15:
		return refuse("HierarchyLevelLimitExceededException", "Hierarchy level limit of 15 levels was exceeded.")
	}
	return nil
}
