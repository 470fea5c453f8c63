# An experiment of Fault Injection Service, and the alarm that stops it.
resource "aws_iam_role" "driver" {
  name = "experiments"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "fis.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_cloudwatch_metric_alarm" "halt" {
  alarm_name          = "halt"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  metric_name         = "Errors"
  namespace           = "Shop"
  period              = 60
  statistic           = "Sum"
  threshold           = 0.5
  alarm_description   = var.extra
  tags                = { team = "web" }
}

resource "aws_fis_experiment_template" "throttle" {
  description = "throttle ${var.extra}"
  role_arn    = aws_iam_role.driver.arn
  stop_condition {
    source = "aws:cloudwatch:alarm"
    value  = aws_cloudwatch_metric_alarm.halt.arn
  }
  action {
    name      = "throttle"
    action_id = "aws:fis:inject-api-throttle-error"
    target {
      key   = "Roles"
      value = "roles"
    }
    parameter {
      key   = "service"
      value = "ec2"
    }
    parameter {
      key   = "operations"
      value = "DescribeInstances"
    }
    parameter {
      key   = "percentage"
      value = "30"
    }
    parameter {
      key   = "duration"
      value = "PT5M"
    }
  }
  target {
    name           = "roles"
    resource_type  = "aws:iam:role"
    selection_mode = "ALL"
    resource_arns  = [aws_iam_role.driver.arn]
  }
  tags = { Name = "throttle" }
}
