<%@ Page Language="C#" %>
<html><body><h1>Shop</h1><p>Mail goes to <%= System.Configuration.ConfigurationManager.AppSettings["MailServer"] %>.</p></body></html>
