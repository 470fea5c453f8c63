package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Protocol is one of the ways in which AWS services speak.
type Protocol int

const (
	Unspoken Protocol = iota // that of a service that is not here
	RestJSON                 // restJson1: EKS, EKS Auth
	AWSJSON                  // awsJson1.0 and 1.1: X-Amz-Target says the operation
	Query                    // awsQuery: STS, IAM
	EC2Query                 // ec2Query: EC2
	S3XML                    // restXml without a wrapper around errors: S3
	RestXML                  // restXml: Route 53, CloudFront
	CBOR                     // rpcv2Cbor: CloudWatch, of newer SDKs
)

// queryServices are services that speak the query protocol and are not here, by signing name.
var queryServices = map[string]bool{
	"cloudformation": true, "cloudsearch": true, "elasticbeanstalk": true, "rds": true, "redshift": true,
	"elasticache": true, "sns": true, "ses": true, "email": true, "importexport": true, "sdb": true,
}

// xmlServices are services that speak restXml and are not here; nothing else in their requests says so.
var xmlServices = map[string]Protocol{
	"s3": S3XML, "s3express": S3XML, "s3-outposts": S3XML, "s3-object-lambda": S3XML, "route53": RestXML,
	"cloudfront": RestXML,
}

// ProtocolOf tells a request's protocol from its service's signing name (empty for an unsigned one), the service's own
// protocol, and the request's looks. It decides the shape of errors even where the service is not there.
func ProtocolOf(r *http.Request, service string, own Protocol) Protocol {
	switch {
	case own == EC2Query, own == RestJSON:
		return own
	case xmlServices[service] != Unspoken:
		return xmlServices[service]
	case strings.EqualFold(r.Header.Get("Smithy-Protocol"), smithyCBOR):
		return CBOR
	case own == Query, queryServices[service]:
		return Query
	case r.Header.Get("X-Amz-Target") != "":
		return AWSJSON
	case r.URL.Path == "/" && (IsForm(r) || r.URL.Query().Has("Action")):
		return Query
	case strings.HasSuffix(mediaType(r), "/xml"):
		return RestXML
	}
	return RestJSON
}

// smithyCBOR is what the header Smithy-Protocol says of requests and answers in CBOR.
const smithyCBOR = "rpc-v2-cbor"

func mediaType(r *http.Request) string {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// IsForm says whether a request's body is a form, as the query protocols have it.
func IsForm(r *http.Request) bool {
	return r.Method == http.MethodPost && mediaType(r) == "application/x-www-form-urlencoded"
}

// Write answers with a body of the given content type.
func Write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // an error here is the client's going away
}

// WriteError answers with an error in the protocol's shape. xmlns is the namespace of a query protocol's answers.
func WriteError(w http.ResponseWriter, r *http.Request, p Protocol, e *Error, requestID, xmlns string) {
	contentType, body := "application/json", []byte(nil)
	switch p {
	case Query, EC2Query, S3XML, RestXML:
		contentType, body = "text/xml", xmlError(p, e, requestID, xmlns)
	case CBOR:
		w.Header().Set("Smithy-Protocol", smithyCBOR)
		w.Header().Set("X-Amzn-Query-Error", cmp.Or(e.QueryCode, e.Code)+";"+faultOf(e))
		contentType, body = "application/cbor", cbor.Encode(cbor.Map{"__type": cbor.String(e.Code),
			"message": cbor.String(e.Message)})
	case AWSJSON:
		contentType = "application/x-amz-json-1.1"
		if asked := mediaType(r); asked == "application/x-amz-json-1.0" {
			contentType = asked
		}
		if e.QueryCode != "" {
			w.Header().Set("X-Amzn-Query-Error", e.QueryCode+";Sender")
		}
		fallthrough
	default:
		w.Header().Set("X-Amzn-Errortype", e.Code)
		body = jsonError(p, e)
	}
	Write(w, e.Status, contentType, body)
}

func jsonError(p Protocol, e *Error) []byte {
	if e.Shape != nil {
		if body, err := Encode(e.Shape); err == nil {
			if p == AWSJSON { // whose clients look for the name in the body
				body = withType(e.Code, body)
			}
			return body
		}
	}
	if e.Members != nil {
		text, _ := json.Marshal(e.Members)
		return text
	}
	body := struct {
		Type    string `json:"__type,omitempty"`
		Message string `json:"message"`
	}{Message: e.Message}
	if p == AWSJSON {
		body.Type = e.Code
	}
	text, _ := json.Marshal(body)
	return text
}

// withType adds the exception's name to the JSON of its members.
func withType(code string, members []byte) []byte {
	head := `{"__type":` + strconv.Quote(code)
	if string(members) != "{}" {
		head += ","
	}
	return append([]byte(head), members[1:]...)
}

// xmlFault is the Error element of the protocols in XML.
type xmlFault struct {
	Type      string `xml:",omitempty"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId,omitempty"`
}

func xmlError(p Protocol, e *Error, requestID, xmlns string) []byte {
	if p == EC2Query {
		return marshalXML(struct {
			XMLName xml.Name   `xml:"Response"`
			Errors  []xmlFault `xml:"Errors>Error"`
			ID      string     `xml:"RequestID"`
		}{Errors: []xmlFault{{Code: e.Code, Message: e.Message}}, ID: requestID})
	}
	if p == S3XML {
		return marshalXML(struct {
			XMLName xml.Name `xml:"Error"`
			xmlFault
		}{xmlFault: xmlFault{Code: e.Code, Message: e.Message, RequestID: requestID}})
	}
	fault := xmlFault{Type: faultOf(e), Code: e.Code, Message: e.Message}
	if p == Query {
		fault.Code = cmp.Or(e.QueryCode, e.Code)
	}
	return marshalXML(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		XMLNS     string   `xml:"xmlns,attr,omitempty"`
		Error     xmlFault
		RequestID string `xml:"RequestId"`
	}{XMLNS: xmlns, Error: fault, RequestID: requestID})
}

// faultOf says whose fault an error is, as the query protocol has it.
func faultOf(e *Error) string {
	if e.Status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

func marshalXML(v any) []byte {
	text, err := xml.MarshalIndent(v, "", "  ")
	if err != nil { // only types that encoding/xml cannot write
		panic(fmt.Sprintf("wire: marshal %T: %v", v, err))
	}
	return append(text, '\n')
}

// WriteQueryResult answers a call of the query protocol: result inside <ACTIONResponse><ACTIONResult>, with the
// request's id. A client that asks for JSON gets what STS gives it then, which aws-iam-authenticator relies on.
func WriteQueryResult(w http.ResponseWriter, r *http.Request, operation, requestID, xmlns string, result any) {
	response, inner := operation+"Response", operation+"Result"
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		body, _ := json.Marshal(map[string]any{response: map[string]any{
			inner: result, "ResponseMetadata": map[string]string{"RequestId": requestID},
		}})
		Write(w, http.StatusOK, "application/json", body)
		return
	}
	var b bytes.Buffer
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	start := xml.StartElement{Name: xml.Name{Local: response},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: xmlns}}}
	metadata := struct {
		RequestID string `xml:"RequestId"`
	}{requestID}
	for _, err := range []error{
		enc.EncodeToken(start),
		enc.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: inner}}),
		enc.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}),
		enc.EncodeToken(start.End()),
		enc.Close(),
	} {
		if err != nil {
			panic(fmt.Sprintf("wire: marshal %T: %v", result, err))
		}
	}
	Write(w, http.StatusOK, "text/xml", b.Bytes())
}
